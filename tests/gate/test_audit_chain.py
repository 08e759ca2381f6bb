"""Alerts about the audit chain, its checkpoints for people, and its page."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts.models import Alert
from gate import services as gate
from security import audit
from security.audit_actions import Action
from security.audit_chain import checkpoint_file, tail
from security.models import Seal
from security.services import seal_rows
from tests.actors import ACTOR
from tests.keys.builders import make_people
from tests.moments import NOON


@pytest.fixture(autouse=True)
def kept(tmp_path, settings):
    """The file of checkpoints outside."""
    settings.AUDIT_CHECKPOINTS = tmp_path / "checkpoints"
    return settings.AUDIT_CHECKPOINTS


@pytest.fixture
def chain(db):
    """A few sealed audit entries."""
    make_people()
    seal_rows(now=NOON)


def unresolved(kind):
    """The alerts of a kind that are open."""
    return list(Alert.objects.unresolved().filter(kind=kind))


def test_rows_that_wait_for_more_than_a_minute_alert_until_they_are_sealed(chain):
    now = timezone.now()
    gate.alert_of_unsealed_rows(now=now)
    assert unresolved("audit_unsealed") == []
    make_entry()
    for _ in range(2):
        gate.alert_of_unsealed_rows(now=now + timedelta(minutes=2))
    [alert] = unresolved("audit_unsealed")
    assert alert.detail.startswith("1 row waits to be sealed, the oldest since ")
    assert alert.remedy_path.endswith(f"/seal/{Seal.objects.first().pk}/change/")
    seal_rows(now=NOON)
    gate.alert_of_unsealed_rows(now=now + timedelta(minutes=3))
    assert unresolved("audit_unsealed") == []


@pytest.mark.django_db(transaction=True)
def test_a_long_transaction_is_named(monkeypatch):
    parameters = connection.get_connection_params() | {"application_name": "nightly import"}
    del parameters["cursor_factory"], parameters["context"]
    with psycopg.connect(**parameters) as other:
        other.execute("SELECT pg_current_xact_id()")
        later = timezone.now() + timedelta(minutes=2)
        gate.alert_of_unsealed_rows(now=later)
        [alert] = unresolved("audit_unsealed")
        process = other.info.backend_pid
        assert f"A transaction of nightly import (process {process} of the database, user " in (
            alert.detail
        )
        # It does not hold back what others have committed.
        make_entry()
        assert seal_rows(now=NOON) > 0
        assert tail.unsealed_tail().rows == 0
    gate.alert_of_unsealed_rows(now=later)
    assert unresolved("audit_unsealed") == []


def test_a_checkpoint_is_kept_each_hour_and_sent_each_day(chain, kept):
    for _ in range(2):
        gate.keep_checkpoint(now=NOON)
        gate.send_checkpoint(now=NOON)
    [anchor] = checkpoint_file.read(kept)
    assert anchor.checkpoint.size == Seal.objects.first().size
    alert = Alert.objects.filter(kind="audit_checkpoint").first()
    assert alert.detail == kept.read_text(encoding="utf-8")[:-1]
    assert alert.status == "resolved"


def test_a_chain_that_is_shorter_than_its_checkpoint_alerts(chain, kept):
    gate.keep_checkpoint(now=NOON)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE security_seal SET size = size - 1")
    gate.keep_checkpoint(now=NOON)
    [alert] = unresolved("audit_truncated")
    assert "and the audit chain has" in alert.detail


def test_without_a_seal_nothing_is_kept_or_sent(db, kept):
    gate.keep_checkpoint(now=NOON)
    gate.send_checkpoint(now=NOON)
    assert not kept.exists()
    assert not Alert.objects.exists()


def test_the_page_shows_up_to_where_everything_is_sealed(chain, kept, admin_client):
    page = admin_client.get("/admin/security/seal/")
    size = Seal.objects.first().size
    assert f"{size} rows are sealed" in page.content.decode()
    assert "No checkpoint has been written" in page.content.decode()
    gate.keep_checkpoint(now=NOON)
    make_entry()
    page = admin_client.get("/admin/security/seal/").content.decode()
    assert f"The last checkpoint in the file outside is over {size} rows" in page
    assert "1 row waits to be sealed" in page
    detail = admin_client.get(f"/admin/security/seal/{Seal.objects.first().pk}/change/")
    assert checkpoint_file.latest()[1].splitlines()[2] in detail.content.decode()


def make_entry():
    """One audit entry that is not sealed."""
    with transaction.atomic():
        audit.record(actor=ACTOR, action=Action.VAULT_REKEY, subject="vault:keys", at=NOON)
