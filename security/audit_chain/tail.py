"""What is not sealed yet, and which transactions may add to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Min

from common import formatting
from common.statements import Statement, fetch_unprepared
from security.audit_chain.models import UnsealedRow


@dataclass(frozen=True)
class UnsealedTail:
    """The committed rows that wait to be sealed, and since when the oldest of them was written."""

    rows: int = 0
    oldest_at: datetime | None = None

    def __str__(self) -> str:
        verb = "waits" if self.rows == 1 else "wait"
        return f"{formatting.count(self.rows, 'row')} {verb} to be sealed"

    def age(self, now: datetime) -> timedelta:
        """How long the oldest row has waited; zero if none waits."""
        return max(now - self.oldest_at, timedelta()) if self.oldest_at else timedelta()


class OpenTransaction(NamedTuple):
    """A transaction that has written and not ended, so that what it wrote is not sealed."""

    process_id: int
    program: str
    user: str
    since: datetime


_LONG = Statement(
    """
    SELECT pid AS process_id, application_name AS program, usename AS user, xact_start AS since
      FROM pg_stat_activity
     WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
       AND xact_start < %(before)s
       -- PostgreSQL's own vacuum writes its statistics, never rows to seal.
       AND backend_type <> 'autovacuum worker'
     ORDER BY xact_start
    """,
    OpenTransaction,
)


def unsealed_tail() -> UnsealedTail:
    """What waits to be sealed now."""
    waiting = UnsealedRow.objects.aggregate(rows=Count("pk"), oldest_at=Min("queued_at"))
    return UnsealedTail(**waiting)


def long_transactions(*, before: datetime) -> list[OpenTransaction]:
    """The transactions that have written and began before this moment, the oldest first."""
    return fetch_unprepared(_LONG, before=before)
