"""A backup of the database is restored into an empty one, and checked."""

from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from gate.services import backups
from keys.models import Allocation
from security.models import AuditEntry
from tests.keys.builders import add_key, allocate, report
from tests.treasury.builders import broken
from tests.treasury.purchases import make_decider
from tests.treasury.receipts import PDF, add_receipt, waiting_purchase
from treasury.models import PurchaseReceipt

# One worker: they use one database beside Butler's.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("restored")]
EMPTY = "butler_restored"


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    monkeypatch.setattr("gate.backup.encryption._SCRYPT", {"length": 32, "n": 2, "r": 8, "p": 1})
    path = tmp_path / "backup.key"
    path.write_text("a key file of tests\n")
    return path


@contextmanager
def empty_database():
    """Butler's connection leads to an empty database."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {EMPTY}")
        cursor.execute(f"CREATE DATABASE {EMPTY} TEMPLATE template0")
    connection.close()
    connection.settings_dict["NAME"] = EMPTY
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {EMPTY}")


def run(*command, **options):
    out = StringIO()
    call_command(*command, stdout=out, stderr=out, **options)
    return out.getvalue()


def backup(folder, key_file, **options):
    run("backup", folder, key_file=key_file, **options)
    return sorted(folder.glob("butler-database-*.backup"))


def test_a_backup_is_restored_with_all_rows_and_balances(people, tmp_path, key_file):
    """O52."""
    add_key("nvidia-1")
    report(allocate(tokens=20_000), 700)
    make_decider()
    receipt, _ = add_receipt(waiting_purchase(), PDF)
    [file] = backup(tmp_path / "database", key_file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"nvidia-1" not in file.read_bytes()
    assert AuditEntry.objects.get(action="backup.create").subject == f"backup:{file.name}"
    with empty_database():
        said = run("restore", file, key_file=key_file)
        assert "The books balance" in said and "The tasks balance" in said
        assert Allocation.objects.get().used == 700
        kept = PurchaseReceipt.objects.get()
        assert (bytes(kept.content), kept.sha256) == (PDF, receipt.sha256)
        assert broken() == []
    with pytest.raises(CommandError, match="has tables"):
        run("restore", file, key_file=key_file)


def test_a_damaged_backup_restores_nothing(people, tmp_path, key_file):
    [file] = backup(tmp_path / "database", key_file)
    file.write_bytes(file.read_bytes()[:-1])
    with empty_database():
        with pytest.raises(CommandError, match="cut off"):
            run("restore", file, key_file=key_file)
        assert connection.introspection.table_names() == []


def test_the_vault_goes_to_another_place_and_comes_back(people, tmp_path, key_file, settings):
    key = tmp_path / "vault.keys"
    key.write_bytes(settings.VAULT_KEY_FILE.read_bytes())
    key.chmod(0o600)
    add_key("nvidia-1")
    folder = tmp_path / "vault"
    with pytest.raises(CommandError, match="another folder"):
        backup(folder, key_file, vault_folder=folder)
    backup(tmp_path / "database", key_file, vault_folder=folder)
    [file] = folder.glob("butler-vault-*.backup")
    settings.VAULT_KEY_FILE = tmp_path / "restored.keys"
    [dump] = (tmp_path / "database").glob("*.backup")
    # O53: without its keys, nothing is wrong with the audit chain.
    with empty_database(), pytest.raises(CommandError, match="secrets of this backup cannot be re"):
        run("restore", dump, key_file=key_file)
    settings.VAULT_KEY_FILE.unlink(missing_ok=True)
    with empty_database():
        run("restore", dump, vault=file, key_file=key_file)
    assert settings.VAULT_KEY_FILE.read_bytes() == key.read_bytes()
    assert settings.VAULT_KEY_FILE.stat().st_mode & 0o777 == 0o600


def test_a_wrong_file_restores_nothing_and_is_a_sentence(people, tmp_path, key_file, settings):
    """O52, O53."""
    vault_key = tmp_path / "vault.keys"
    vault_key.write_bytes(settings.VAULT_KEY_FILE.read_bytes())
    vault_key.chmod(0o600)
    backup(tmp_path / "database", key_file, vault_folder=tmp_path / "vault")
    [dump], [vault] = ((tmp_path / each).glob("*.backup") for each in ("database", "vault"))
    cut, other = tmp_path / "cut", tmp_path / "other.key"
    cut.write_bytes(dump.read_bytes()[:-1])
    other.write_text("another key file of tests\n")
    settings.VAULT_KEY_FILE = restored = tmp_path / "restored.keys"
    refused = [
        (dump, vault, other, "passphrase is wrong"),
        (cut, vault, key_file, "cut off"),
        (vault, vault, key_file, "of the vault's keys, not of the database"),
        (dump, dump, key_file, "of the database, not of the vault's keys"),
        (tmp_path / "none", vault, key_file, "none cannot be used: No such file"),
        (dump, tmp_path, key_file, "cannot be used: Is a directory"),
    ]
    for file, vault_file, key, why in refused:
        with empty_database():
            with pytest.raises(CommandError, match=why):
                run("restore", file, vault=vault_file, key_file=key)
            assert connection.introspection.table_names() == []
        assert not restored.exists()
    with pytest.raises(CommandError, match="has tables"):
        run("restore", dump, vault=vault, key_file=key_file)
    assert not restored.exists()


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_takes_no_backup_is_a_sentence(people, tmp_path, key_file, folder):
    """O52."""
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"file.* cannot be used: (File exists|Not a directory)"):
        backup(tmp_path / folder, key_file)


def test_a_backup_of_another_version_is_told(people, tmp_path, key_file, monkeypatch):
    """O52: an earlier one is to be migrated before its checks, a later one is refused."""
    [file] = backup(tmp_path / "database", key_file)
    own = backups._newest_migrations()
    monkeypatch.setattr(backups, "_newest_migrations", lambda: own | {"keys": "0000_first"})
    with empty_database():
        with pytest.raises(CommandError, match=r"later version of Butler \(tables of keys\)"):
            run("restore", file, key_file=key_file)
        assert connection.introspection.table_names() == []
    monkeypatch.setattr(backups, "_newest_migrations", lambda: own | {"keys": "9999_last"})
    with empty_database():
        said = run("restore", file, key_file=key_file)
        assert "run manage.py migrate" in said and "The books balance" not in said


def test_the_newest_backups_stay(people, tmp_path, key_file, time_machine):
    for day in (1, 2, 3):
        time_machine.move_to(f"2026-03-0{day}T12:00:00Z")
        files = backup(tmp_path / "database", key_file, keep=2)
    assert [file.name[16:24] for file in files] == ["20260302", "20260303"]


def test_a_short_key_file_is_refused(people, tmp_path, key_file):
    key_file.write_text("short")
    with pytest.raises(CommandError, match="16 characters"):
        backup(tmp_path, key_file)
