"""Several sealers and many writers at once, and a sealer that dies in the middle."""

import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import transaction

from security import audit
from security.audit_actions import Action
from security.audit_chain.models import Seal, UnsealedRow
from security.audit_chain.verify import verify
from security.models import AuditEntry
from security.services import seal_rows
from tests.actors import ACTOR
from tests.flows.processes import database_url
from tests.moments import NOON
from tests.security.audit_chain.conftest import now, seal_all
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def write(count):
    """Audit entries, each in a transaction of its own; returns how many."""
    for _ in range(count):
        with transaction.atomic():
            audit.record(actor=ACTOR, action=Action.VAULT_REKEY, subject="vault:keys", at=NOON)
    return count


def assert_all_is_sealed_once():
    """The chain is whole and has every entry."""
    verification = verify(now=now())
    assert verification.findings == []
    sealed = [pk for seal in Seal.objects.all() for pk in seal.rows]
    assert sorted(sealed) == sorted(AuditEntry.objects.values_list("pk", flat=True))


def test_sealers_and_writers_at_once_make_one_chain(at_once):
    def work(number):
        return write(20) if number % 2 else [seal_rows(now=NOON) for _ in range(20)]

    answers = at_once(work, times=8)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    seal_all()
    assert AuditEntry.objects.count() == 80
    assert_all_is_sealed_once()


def test_a_sealer_that_fails_in_the_middle_leaves_all_undone(monkeypatch):
    write(3)
    seal_all()
    write(3)
    with monkeypatch.context() as patch:
        patch.setattr("security.audit_chain.seal.ChainTip.save", lambda *args, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            seal_rows(now=NOON)
    assert (Seal.objects.count(), UnsealedRow.objects.count()) == (1, 3)
    seal_all()
    assert_all_is_sealed_once()


def test_a_process_that_is_killed_is_replaced_by_another(key_file):
    folder = str(key_file.parent)
    environment = os.environ | {"DATABASE_URL": database_url(), "BUTLER_VAR_DIR": folder}
    sealers = [_start(environment) for _ in range(2)]
    try:
        write(5)
        wait_until(lambda: not UnsealedRow.objects.exists(), seconds=60)
        os.kill(sealers[0].pid, signal.SIGKILL)
        write(5)
        wait_until(lambda: not UnsealedRow.objects.exists(), seconds=60)
    finally:
        for sealer in sealers:
            sealer.kill()
            sealer.wait()
    assert_all_is_sealed_once()


def _start(environment):
    command = [sys.executable, "manage.py", "seal_audit"]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
