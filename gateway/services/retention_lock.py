"""The lock between keeping exchanges and changing how long they are kept.

Whoever keeps one shares it, whoever changes a retention has it alone: otherwise an exchange that is
kept with the old days at that moment would be missed when those there are shortened.
"""

from django.db import connection

_LOCK = 0x7265_7465


def share() -> None:
    """Until commit, no retention changes."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def take() -> None:
    """Until commit, nothing is kept."""
    _lock("SELECT pg_advisory_xact_lock(%s)")


def _lock(statement: str) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("Outside a transaction the lock would be gone at once.")
    with connection.cursor() as cursor:
        cursor.execute(statement, [_LOCK])
