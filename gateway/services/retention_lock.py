"""The lock between keeping exchanges and changing how long they are kept.

Keeping an exchange takes it shared, changing a retention exclusively: otherwise an exchange that is
kept with the old days at that moment would be missed when existing ones are shortened.
"""

from django.db import connection

_LOCK = 0x7265_7465


def share() -> None:
    """Until commit, no retention can change."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def take_exclusive() -> None:
    """Until commit, no exchange can be kept."""
    _lock("SELECT pg_advisory_xact_lock(%s)")


def _lock(statement: str) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("The lock must be taken inside a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(statement, [_LOCK])
