"""The doctor finds what is wrong, says what to do, and changes nothing."""

import json
import socket
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from gate.audit_actions import Action
from gate.doctor import checks, network
from gate.doctor.examination import examine
from keys import services as keys
from keys.models import ApiKey, Price
from security import audit
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import add_key, allocate, hold
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def state(check, *, now=NOON):
    [result] = examine([check], now=now)
    assert (result.state == "ok") == (not result.remedy)
    return result.state


def test_every_check_runs_and_a_failed_one_decides_the_exit_code(people, tmp_path, settings):
    settings.AUDIT_CHECKPOINTS = tmp_path / "checkpoints"
    before = AuditEntry.objects.count()
    out = StringIO()
    try:
        call_command("doctor", "--json", stdout=out)
        has_failed = False
    except CommandError:
        has_failed = True
    results = json.loads(out.getvalue())
    assert [result["check"] for result in results] == [each.__name__ for each in checks.CHECKS]
    assert any(result["state"] == "failed" for result in results) == has_failed
    by_name = {result["check"]: result for result in results}
    assert by_name["migrations"]["state"] == by_name["secrets"]["state"] == "ok"
    assert by_name["backup"]["remedy"] == "Run `manage.py backup` daily."
    assert AuditEntry.objects.count() == before


def test_clocks_that_differ_are_found():
    now = timezone.now()
    assert state(checks.clock, now=now) == "ok"
    assert state(checks.clock, now=now + timedelta(seconds=60)) == "failed"


def test_a_disk_that_is_nearly_full_is_found(monkeypatch):
    """O61."""
    for free, found in ((3 * 10**9, "ok"), (10**9, "warning"), (10**7, "failed")):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(checks.shutil, "disk_usage", lambda path, usage=usage: usage)
        assert state(checks.disk) == found


def test_a_secret_that_cannot_be_read_is_found(people):
    add_key("nvidia-1")
    assert state(checks.secrets) == "ok"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_apikey SET secret = overlay(secret placing 'x' from 40)")
    assert state(checks.secrets) == "failed"


def test_a_key_file_that_others_can_read_is_found(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    file = tmp_path / "secret.key"
    file.write_text("x")
    for mode, found in ((0o600, "ok"), (0o640, "failed"), (0o604, "failed")):
        file.chmod(mode)
        assert state(checks.file_modes) == found


def test_holds_that_no_job_released_are_found(people):
    add_key("nvidia-1")
    hold(allocate(tokens=1_000), 100)
    assert state(checks.holds, now=NOON + timedelta(minutes=1)) == "ok"
    assert state(checks.holds, now=NOON + timedelta(days=1)) == "failed"


def test_old_prices_are_found(people):
    assert state(checks.prices) == "ok"
    add_key("nvidia-1")
    newest = Price.objects.latest("starts_at").starts_at
    assert state(checks.prices, now=newest + timedelta(days=90)) == "ok"
    assert state(checks.prices, now=newest + timedelta(days=91)) == "warning"


def test_a_backup_that_is_old_or_missing_is_found():
    assert state(checks.backup) == "warning"
    audit.record(actor=ACTOR, action=Action.BACKUP_CREATE, subject="backup:x", at=NOON)
    assert state(checks.backup, now=NOON + timedelta(hours=26)) == "ok"
    assert state(checks.backup, now=NOON + timedelta(hours=27)) == "warning"


def test_a_checkpoint_that_is_old_or_missing_is_found(settings, tmp_path):
    settings.AUDIT_CHECKPOINTS = tmp_path / "checkpoints"
    assert state(checks.checkpoint) == "warning"
    settings.AUDIT_CHECKPOINTS.write_text("")
    now = timezone.now()
    assert state(checks.checkpoint, now=now) == "ok"
    assert state(checks.checkpoint, now=now + timedelta(days=2)) == "warning"


def test_a_freeze_that_was_forgotten_is_found(people):
    keys.freeze("agent:ada", mode="cut", reason="test", actor=ACTOR, now=NOON)
    assert state(checks.freezes, now=NOON + timedelta(hours=23)) == "ok"
    assert state(checks.freezes, now=NOON + timedelta(hours=25)) == "warning"


def test_a_check_that_cannot_run_has_failed_and_the_others_run():
    def broken(now):
        raise OSError("no disk")

    results = examine([broken, checks.backup], now=NOON)
    assert [result.state for result in results] == ["failed", "warning"]
    assert "no disk" in results[0].says


def test_providers_are_contacted_only_when_asked(people):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        add_key("nvidia-1")
        ApiKey.objects.update(base_url=address)
        assert state(network.providers) == "ok"
    assert state(network.providers) == "failed"


def test_the_chain_that_is_not_sealed_is_found(people):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM security_unsealedrow")
        [(waiting,)] = cursor.fetchall()
    later = timezone.now() + timedelta(minutes=2)
    assert waiting and state(checks.audit_chain, now=later) == "failed"
