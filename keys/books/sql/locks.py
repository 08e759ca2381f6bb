"""The locks of the books: the shared advisory lock, then allocations, then windows."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import NoRow, Statement


class LockedRow(NamedTuple):
    """An open window that is locked now.

    Without windows, there is one row in which all fields but `later` are None. `amount`, `used` and
    `committed` are in its `unit`. `over`: its period has ended. `later`: the start of the newest of
    these windows, if another process opened it a moment ahead of our clock.
    """

    id: int | None
    scope: str
    unit: str
    amount: Decimal
    used: Decimal
    committed: Decimal
    over: bool
    later: datetime | None


# Take the shared lock of the books. A separate statement: the snapshot of the next one then has
# every limit and window that was created while this one waited.
JOIN = Statement("SELECT pg_advisory_xact_lock_shared(%(books_lock)s)", NoRow)


# Lock the allocations, then the open windows of their scopes and of `scopes`.
LOCK = Statement(
    """
    -- The allocations, locked first.
    WITH locked AS MATERIALIZED (
        SELECT a.api_key_id, a.payers FROM keys_allocation a
         WHERE a.id = ANY(%(allocations)s) ORDER BY a.id FOR NO KEY UPDATE OF a
    ),
    -- Every scope of the allocations, and those given.
    scopes AS MATERIALIZED (
        SELECT 'key:' || api_key_id AS scope FROM locked
        UNION SELECT unnest(payers) FROM locked
        UNION SELECT unnest(%(scopes)s::text[])
    ),
    -- The open windows of these scopes, locked second.
    windows AS MATERIALIZED (
        SELECT * FROM keys_window
         WHERE scope = ANY(ARRAY(SELECT scope FROM scopes)) AND closed_at IS NULL
         ORDER BY id FOR NO KEY UPDATE
    )
    SELECT w.id, w.scope, w.unit, w.amount, w.used, w.committed,
           w.ends_at <= greatest(%(now)s, max(w.starts_at) OVER ()) AS over,
           nullif(greatest(%(now)s, max(w.starts_at) OVER ()), %(now)s) AS later
      -- The count makes the allocations locked even if no window exists.
      FROM (SELECT count(*) FROM locked) n LEFT JOIN windows w ON true
    """,
    LockedRow,
)
