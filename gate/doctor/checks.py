"""The checks of an installation, in the order in which they are repaired."""

import shutil
import stat
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max

from common import formatting
from gate.audit_actions import Action
from gate.doctor.examination import Check, Finding, failed, ok, warning
from keys.models import Charge, Freeze, Price
from security import keyring_sources
from security import queries as security
from security.audit_chain import tail
from security.models import AuditEntry

_DAY = timedelta(days=1)
_CLOCK_MAX = timedelta(seconds=2)
_FREE_BYTES_MIN, _FULL_BYTES = 2 * 10**9, 2 * 10**8
_SWEEP_MAX = timedelta(minutes=10)
_PRICES_MAX = timedelta(days=90)
_BACKUP_MAX = timedelta(hours=26)
_UNSEALED_MAX = timedelta(minutes=1)


def migrations(now: datetime) -> Finding:
    """All migrations of this version are applied."""
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return failed(
            f"Migrations that are not applied: {len(missing)}.", "Run `manage.py migrate`."
        )
    return ok("All migrations are applied.")


def clock(now: datetime) -> Finding:
    """This machine and the database agree on the time, which decides about windows and grants."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [(there,)] = cursor.fetchall()
    apart = abs(there - now)
    if apart > _CLOCK_MAX:
        return failed(
            f"The clocks of this machine and of the database differ by {apart.total_seconds():.1f} "
            "s.",
            "Set both clocks by NTP.",
        )
    return ok("The clocks of this machine and of the database agree.")


def disk(now: datetime) -> Finding:
    """The folder of everything that is not code, where an embedded database is too, has room."""
    free = shutil.disk_usage(settings.VAR_DIR).free
    says = f"{free / 1e9:.1f} GB are free for {settings.VAR_DIR}."
    if free >= _FREE_BYTES_MIN:
        return ok(says)
    found = warning if free >= _FULL_BYTES else failed
    return found(says, "Make room there before nothing can be written: enlarge the disk.")


def secrets(now: datetime) -> Finding:
    """Every sealed value can be read."""
    if problem := keyring_sources.problem():
        return failed(problem, "Restore the vault's key file from its backup.")
    models = dict.fromkeys(field.model for field in security.sealed_fields())
    unreadable = list(chain.from_iterable(map(security.unsealable, models)))
    if unreadable:
        return failed(
            f"Sealed values that cannot be read: {len(unreadable)}. The first: "
            f"{unreadable[0].reason}",
            "Put the missing key back into the vault's key file, or store the secrets again.",
        )
    return ok(f"All {security.keys_in_use().total()} sealed values can be read.")


def file_modes(now: datetime) -> Finding:
    """Files with keys are readable by their owner only."""
    files = [settings.VAR_DIR / "secret.key"]
    files += [keyring_sources.path()] if keyring_sources.is_file() else []
    if loose := [str(path) for path in files if path.exists() and _is_open(path)]:
        return failed(
            f"Other users of this machine can read {', '.join(loose)}.",
            f"Run `chmod 600 {' '.join(loose)}`, and replace the keys if others use this machine.",
        )
    return ok("Files with keys are readable by their owner only.")


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def holds(now: datetime) -> Finding:
    """Calls that never ended are released by a job within minutes."""
    orphans = Charge.objects.filter(status="held", expires_at__lt=now - _SWEEP_MAX).count()
    if orphans:
        return failed(
            f"Holds that expired over 10 minutes ago and are still held: {orphans}.",
            "Start the queue (`manage.py qcluster`): a job releases them within a minute.",
        )
    return ok("No hold has outlived its time.")


def prices(now: datetime) -> Finding:
    """The newest line of the price book is not old."""
    newest = Price.objects.aggregate(newest=Max("starts_at"))["newest"]
    if newest is None:
        return ok("There are no API keys with prices yet.")
    if now - newest > _PRICES_MAX:
        return warning(
            f"The newest line of the price book is {formatting.duration(now - newest)} old.",
            "Upgrade Butler, whose price data comes with it, or compare with the providers' pages.",
        )
    return ok(f"The newest line of the price book is {formatting.duration(now - newest)} old.")


def backup(now: datetime) -> Finding:
    """The last backup is of yesterday or today."""
    backups = AuditEntry.objects.filter(action=Action.BACKUP_CREATE)
    last = backups.aggregate(last=Max("at"))["last"]
    if last is None:
        return warning("There is no backup yet.", "Run `manage.py backup` daily.")
    says = f"The last backup is {formatting.duration(now - last)} old."
    return ok(says) if now - last <= _BACKUP_MAX else warning(says, "Run `manage.py backup` daily.")


def audit_chain(now: datetime) -> Finding:
    """What is recorded is sealed within a minute."""
    waiting = tail.unsealed_tail()
    age = waiting.age(now)
    if age > _UNSEALED_MAX:
        return failed(
            f"{waiting}, the oldest for {formatting.duration(age)}.",
            "Start `manage.py seal_audit`, and end transactions that have been open for long.",
        )
    return ok("What is recorded is sealed.")


def checkpoint(now: datetime) -> Finding:
    """A checkpoint of the audit chain outside the database is not older than a day."""
    path = Path(settings.AUDIT_CHECKPOINTS)
    remedy = "Run `manage.py audit checkpoint --append FILE` daily, and keep FILE elsewhere."
    if not path.exists():
        return warning(f"There is no checkpoint in {path}.", remedy)
    age = max(timedelta(), timedelta(seconds=now.timestamp() - path.stat().st_mtime))
    says = f"The last checkpoint is {formatting.duration(age)} old."
    return ok(says) if age <= _DAY else warning(says, remedy)


def freezes(now: datetime) -> Finding:
    """Nothing was frozen and forgotten."""
    old = Freeze.objects.filter(thawed_at=None, frozen_at__lt=now - _DAY)
    if scopes := list(old.values_list("scope", flat=True)):
        return warning(
            f"Frozen for over a day: {', '.join(scopes)}.",
            "Thaw what may go on (`manage.py thaw` or the admin); another person must do it.",
        )
    return ok("Nothing has been frozen for over a day.")


CHECKS: tuple[Check, ...] = (
    migrations,
    clock,
    disk,
    secrets,
    file_modes,
    holds,
    prices,
    backup,
    audit_chain,
    checkpoint,
    freezes,
)
