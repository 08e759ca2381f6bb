"""A rekey that is killed, and one while others write."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.db import connection, transaction

from security import keyring_sources, services, vault
from tests.actors import GRACE

ROWS = 6
# Rekeys, and kills itself at the row with the number given, before or after that row's commit.
PROGRAM = """
import os, signal, sys
from django.conf import settings
settings.INSTALLED_APPS.append("sealed_app")
settings.VAULT_KEY_FILE = sys.argv[1]
import django
django.setup()
from django.utils import timezone
from security import services, vault
from security.actor import Actor

where, left = sys.argv[2], int(sys.argv[3])
seal = vault.seal

def die_at_last():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def dying_seal(plaintext, *, context):
    sealed = seal(plaintext, context=context)
    die_at_last()
    return sealed

if where == "before":
    vault.seal = dying_seal
actor = Actor.command_line()
services.rekey_vault(
    actor=actor, now=timezone.now(), on_row=die_at_last if where == "after" else lambda: None
)
"""


def stored(model):
    """Rows with different secrets."""
    for number in range(ROWS):
        row = model(slug=f"safe-{number}")
        services.seal_into(row, "secret", f"secret {number}")
        row.save()
    return secrets_of(model)


def secrets_of(model):
    """Slug to secret, of all rows."""
    return {row.slug: services.unseal_from(row, "secret") for row in model.objects.all()}


def database_url():
    """This test's database, for another process."""
    given = connection.settings_dict
    user = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    port = f":{given['PORT']}" if given["PORT"] else ""
    return f"postgres://{user}@localhost{port}/{given['NAME']}?{urlencode({'host': given['HOST']})}"


def killed_rekey(key_file, where, row):
    """Rekey in another process that dies at that row; its exit code."""
    tests = Path(__file__).parent
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "butler_site.settings",
        "DATABASE_URL": database_url(),
        "PYTHONPATH": f"{tests}:{tests.parents[1]}",
    }
    command = [sys.executable, "-c", PROGRAM, str(key_file), where, str(row)]
    return subprocess.run(command, env=environ, check=False, timeout=60).returncode


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("row", [1, 2, ROWS])
def test_a_rekey_killed_at_any_row_is_finished_by_the_next(
    committed_safes, key_file, noon, where, row
):
    before = stored(committed_safes)
    assert killed_rekey(key_file, where, row) == -signal.SIGKILL
    assert secrets_of(committed_safes) == before
    key_id = keyring_sources.current().sealing_id
    result = services.rekey_vault(actor=GRACE, now=noon)
    assert (result.key_id, result.resumed) == (key_id, True)
    assert result.resealed == ROWS - row + (1 if where == "before" else 0)
    assert secrets_of(committed_safes) == before
    assert [key.retired_at for key in keyring_sources.current().keys] == [None, noon]


def in_thread(work):
    """Start `work` with a connection of its own."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_secret_replaced_while_rekey_waits_for_the_row_is_kept(committed_safes, noon):
    stored(committed_safes)
    rekeying = None
    with transaction.atomic():
        row = committed_safes.objects.select_for_update().get(slug="safe-0")
        services.seal_into(row, "secret", "replaced")
        rekeying = in_thread(lambda: services.rekey_vault(actor=GRACE, now=noon))
        wait_until_somebody_waits_for_a_lock()
        row.save()
    rekeying.join()
    assert secrets_of(committed_safes)["safe-0"] == "replaced"
    assert used_keys(committed_safes) == {keyring_sources.current().sealing_id}


def test_no_write_is_lost_while_rekeys_run(committed_safes, noon):
    stored(committed_safes)
    last = {}
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            slug = f"safe-{number % ROWS}"
            with transaction.atomic():
                row = committed_safes.objects.select_for_update().get(slug=slug)
                services.seal_into(row, "secret", f"written {number}")
                row.save(update_fields=["secret"])
            last[slug] = f"written {number}"

    writing = in_thread(write)
    for _ in range(5):
        services.rekey_vault(actor=GRACE, now=noon)
    stop.set()
    writing.join()
    assert len(last) == ROWS
    assert secrets_of(committed_safes) == last


def test_a_secret_stored_with_the_old_key_behind_the_rekey_is_still_found(committed_safes, noon):
    stored(committed_safes)
    stale = committed_safes.objects.get(slug="safe-0")
    rows_seen = []

    def write_back_the_first_row_at_the_last():
        rows_seen.append(1)
        if len(rows_seen) == ROWS:
            stale.save()

    services.rekey_vault(actor=GRACE, now=noon, on_row=write_back_the_first_row_at_the_last)
    assert used_keys(committed_safes) == {keyring_sources.current().sealing_id}
    assert secrets_of(committed_safes)["safe-0"] == "secret 0"


def used_keys(model):
    """Ids of the keys that sealed the rows."""
    return {vault.key_id_of(bytes(row.secret)) for row in model.objects.all()}


def wait_until_somebody_waits_for_a_lock():
    """Until another connection to this database waits for a row."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query)
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.01)
    raise AssertionError("Nobody waited for the row.")
