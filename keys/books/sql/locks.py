"""Who may look and who may write: the shared books and the order of locks."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import NoRow, Statement


class LockedRow(NamedTuple):
    """An open window under our lock.

    The only row where there is no window has an `id` of None, and so have the fields after it but
    `later`. `amount`, `used` and `committed` are in its `unit`. `over`: its period has ended.
    `later`: when the newest of these windows begins, if another process opened it a moment ahead of
    our clock.
    """

    id: int | None
    scope: str
    unit: str
    amount: Decimal
    used: Decimal
    committed: Decimal
    over: bool
    later: datetime | None


# Take a share of the books. A statement of its own: the next one's snapshot then has every limit
# and window that was made while this one waited.
JOIN = Statement("SELECT pg_advisory_xact_lock_shared(%(books_lock)s)", NoRow)


# Lock the allocations, then the open windows that they and `scopes` stand under.
LOCK = Statement(
    """
    -- The allocations, locked first.
    WITH locked AS MATERIALIZED (
        SELECT a.api_key_id, a.payers FROM keys_allocation a
         WHERE a.id = ANY(%(allocations)s) ORDER BY a.id FOR NO KEY UPDATE OF a
    ),
    -- Every scope that they stand under, and those asked for.
    scopes AS MATERIALIZED (
        SELECT 'key:' || api_key_id AS scope FROM locked
        UNION SELECT unnest(payers) FROM locked
        UNION SELECT unnest(%(scopes)s::text[])
    ),
    -- The open windows of these scopes, locked second.
    windows AS MATERIALIZED (
        SELECT * FROM keys_window
         WHERE scope IN (SELECT scope FROM scopes) AND closed_at IS NULL
         ORDER BY id FOR NO KEY UPDATE
    )
    SELECT w.id, w.scope, w.unit, w.amount, w.used, w.committed,
           w.ends_at <= greatest(%(now)s, max(w.starts_at) OVER ()) AS over,
           nullif(greatest(%(now)s, max(w.starts_at) OVER ()), %(now)s) AS later
      -- The count locks the allocations also where there is no window at all.
      FROM (SELECT count(*) FROM locked) n LEFT JOIN windows w ON true
    """,
    LockedRow,
)
