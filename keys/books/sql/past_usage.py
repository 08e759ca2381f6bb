"""Write closed allocations with their charges, without the statements of calls."""

from typing import NamedTuple

from common.statements import NoRow, Statement


class ReservedId(NamedTuple):
    """The primary key of a row to come."""

    id: int


RESERVE_ALLOCATIONS = Statement(
    """
    SELECT nextval(pg_get_serial_sequence('keys_allocation', 'id')) AS id
      FROM generate_series(1, %(number)s)
    """,
    ReservedId,
)

# Add settled charges to the windows in which they were settled, open or closed.
COUNT_IN_WINDOWS = Statement(
    """
    WITH spent AS MATERIALIZED (
        SELECT 'key:' || c.api_key_id || a.payers AS scopes, c.settled_at, c.tokens, c.cost
          FROM keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
         WHERE c.allocation_id = ANY(%(allocations)s) AND c.status = 'settled'
    ),
    -- Those that any of the charges can be in.
    windows AS MATERIALIZED (
        SELECT * FROM keys_window
         WHERE starts_at <= (SELECT max(settled_at) FROM spent)
           AND ends_at > (SELECT min(settled_at) FROM spent)
    ),
    sums AS (
        SELECT w.id, sum(keys_in_unit(w.unit, s.tokens, s.cost)) AS used
          FROM (SELECT unnest(scopes) AS scope, settled_at, tokens, cost FROM spent) s
          JOIN windows w ON w.scope = s.scope
                        AND s.settled_at >= w.starts_at AND s.settled_at < w.ends_at
         GROUP BY w.id
    )
    UPDATE keys_window w SET used = w.used + s.used FROM sums s WHERE w.id = s.id
    """,
    NoRow,
)
