"""Back up the database and the vault, apart, and restore the database into an empty one."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from gate.audit_actions import Action
from gate.backup import database, files
from gate.refusals import BackupFailed, BackupUnreadable, NotEmpty
from security import audit, keyring_sources
from security import queries as security
from security.actor import Actor
from security.audit_chain import checkpoint_file

DATABASE, VAULT = "database", "vault"


def back_up(
    folder: Path, *, keep: int, passphrase: bytes, actor: Actor, now: datetime
) -> tuple[Path, dict[str, Any]]:
    """Write an encrypted dump of the database to `folder`, and remove all but the newest `keep`.

    Returns the file and its manifest: when, the migrations, the rows of each table, the ids of the
    vault's keys that seal its secrets, and the head of the audit chain, all of one snapshot.
    Refusals: BackupFailed.
    """
    with database.snapshot() as snapshot:
        manifest = _manifest(now)
        parts = database.dump(snapshot)
        path = files.write(
            folder,
            kind=DATABASE,
            manifest=manifest,
            parts=parts,
            passphrase=passphrase,
            now=now,
        )
    files.check(path, passphrase=passphrase)
    files.keep_newest(folder, kind=DATABASE, count=keep)
    _record(path, manifest, actor=actor, now=now)
    return path, manifest


def back_up_vault(folder: Path, *, keep: int, passphrase: bytes, now: datetime) -> Path | None:
    """Write the vault's key file, encrypted, to a folder of its own; None if the keys are in the
    environment, which Butler does not keep."""
    if not keyring_sources.is_file():
        return None
    keys = keyring_sources.current().keys
    path = files.write(
        folder,
        kind=VAULT,
        manifest={"created_at": now.isoformat(), "vault_keys": [key.id for key in keys]},
        parts=[keyring_sources.path().read_bytes()],
        passphrase=passphrase,
        now=now,
    )
    files.check(path, passphrase=passphrase)
    files.keep_newest(folder, kind=VAULT, count=keep)
    return path


def check_restore(path: Path, *, passphrase: bytes) -> dict[str, Any]:
    """The manifest of a dump that can be restored here; the file is read to its end.

    Refusals: NotEmpty, BackupUnreadable.
    """
    if not database.is_empty():
        raise NotEmpty()
    files.check(path, passphrase=passphrase)
    manifest, _ = files.read(path, passphrase=passphrase)
    if "tables" not in manifest:
        raise BackupUnreadable("The file is a backup of the vault's keys, not of the database.")
    own = _newest_migrations()
    later = {app for app, name in manifest["migrations"].items() if app in own and name > own[app]}
    if later:
        raise BackupUnreadable(
            f"The backup is of a later version of Butler (tables of {', '.join(sorted(later))}): "
            "restore it with that version or a newer one."
        )
    return manifest


def is_of_earlier_version(manifest: dict[str, Any]) -> bool:
    """Whether a dump with this manifest lacks migrations of this version."""
    has = manifest["migrations"]
    return any(has.get(app, "") < name for app, name in _newest_migrations().items())


def restore(path: Path, *, passphrase: bytes) -> dict[str, Any]:
    """Restore a dump into the empty database; returns its manifest.

    The file is read to its end before anything is written. Refusals: NotEmpty, BackupUnreadable,
    BackupFailed.
    """
    manifest = check_restore(path, passphrase=passphrase)
    _, parts = files.read(path, passphrase=passphrase)
    database.load(parts)
    if (counts := database.table_counts()) != manifest["tables"]:
        wrong = {name for name, count in manifest["tables"].items() if counts.get(name) != count}
        raise BackupFailed(program="pg_restore", reason=f"rows are missing in {sorted(wrong)}")
    return manifest


def restore_vault(path: Path, *, passphrase: bytes) -> None:
    """Write the vault's key file where Butler reads it. Refusals: NotEmpty, BackupUnreadable."""
    target = keyring_sources.path()
    if target.exists():
        raise NotEmpty(f"There is a key file at {target}. Move it away first.")
    files.check(path, passphrase=passphrase)
    manifest, parts = files.read(path, passphrase=passphrase)
    if "tables" in manifest:
        raise BackupUnreadable("The file is a backup of the database, not of the vault's keys.")
    content = b"".join(parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600, exist_ok=False)
    target.write_bytes(content)


def _manifest(now: datetime) -> dict[str, Any]:
    last = checkpoint_file.latest()
    return {
        "created_at": now.isoformat(),
        "migrations": dict(_migrations()),
        "tables": database.table_counts(),
        "vault_keys": dict(security.keys_in_use()),
        "audit_head": last[1] if last else None,
    }


def _newest_migrations() -> dict[str, str]:
    """The newest migration of each app of this version, which no database is asked for."""
    names: dict[str, str] = {}
    for app, name in MigrationLoader(None).disk_migrations:
        names[app] = max(names.get(app, ""), name)
    return names


def _migrations() -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app")
        yield from cursor.fetchall()


@transaction.atomic
def _record(path: Path, manifest: dict[str, Any], *, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=Action.BACKUP_CREATE,
        subject=f"backup:{path.name}",
        after={"rows": sum(manifest["tables"].values()), "vault_keys": manifest["vault_keys"]},
        at=now,
    )
