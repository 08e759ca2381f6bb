"""The second half of ending charges: add their usage to their allocations and windows."""

from decimal import Decimal
from typing import NamedTuple

from keys.books.sql.slices import SLICES
from keys.models import Allocation


class Spent(NamedTuple):
    """An allocation after some of its charges ended.

    `charges`, `tokens` and `cost` are of the charges that ended now; below zero if a charge was
    corrected. `expired`: the charges of calls that were sent and cost their whole hold, because
    it expired. `crossed`: they crossed the rotation threshold. `full_keys`: scopes of keys with a
    full window; `warned_windows`: those that reached the next soft threshold of their budget; both
    the same in every row.
    """

    id: int
    session_id: str
    agent_id: str
    api_key_id: str
    status: str
    allocated: int
    used: int
    held: int
    overrun: bool
    auto_rotate: bool
    crossed: bool
    tokens: int
    cost: Decimal
    charges: list[int]
    expired: list[int] | None
    full_keys: list[str] | None
    warned_windows: list[int] | None

    @property
    def used_up(self) -> bool:
        """Whether to close the allocation: nothing is left, or a call used more than it held."""
        return self.used >= self.allocated or self.overrun

    @property
    def left(self) -> int:
        """Tokens that can still be held; 0 once the allocation is closed."""
        if self.used_up or self.status != Allocation.Status.ACTIVE:
            return 0
        return max(self.allocated - self.used - self.held, 0)


# After a CTE `ended` (one row per charge: id, allocation_id, api_key_id, overrun, is_sent, what it
# counts for more than before: tokens, cost and the other columns of SLICES, and what it no longer
# holds: unheld, unheld_cost). `spent` has one row per allocation, `moves` one per scope.
#
# A call that used tokens also extends the life of an active allocation to the allocation's own
# `ttl_seconds` from now, in steps of a twentieth of that.
MOVES = f"""
    {SLICES},
    -- What ended in each allocation.
    sums AS (
        SELECT allocation_id, sum(tokens)::bigint AS tokens, sum(cost) AS cost,
               sum(unheld)::bigint AS unheld, sum(unheld_cost) AS unheld_cost,
               array_agg(id) AS charges, array_agg(id) FILTER (WHERE is_sent) AS expired,
               bool_or(overrun) AS overrun
          FROM ended GROUP BY allocation_id
    ),
    -- The allocations, with what was used; `freed`: what they have no longer committed.
    spent AS (
        UPDATE keys_allocation a
           SET used = o.used + s.tokens, held = o.held - s.unheld,
               used_cost = o.used_cost + s.cost, held_cost = o.held_cost - s.unheld_cost,
               overrun = o.overrun OR s.overrun
                         OR o.used + s.tokens + o.held - s.unheld > o.allocated,
               warned_at = CASE WHEN o.status = 'active'
                                     AND o.used + s.tokens >= o.rotation_threshold
                                THEN coalesce(o.warned_at, %(at)s) ELSE o.warned_at END,
               -- A call extends the life of its session, as a heartbeat does. Not by every little:
               -- a new expires_at is a new entry in an index.
               expires_at = CASE WHEN s.tokens > 0 AND o.status = 'active'
                                      AND o.expires_at > %(at)s::timestamptz
                                      AND o.expires_at < %(at)s::timestamptz
                                          + (o.asked ->> 'ttl_seconds')::int * interval '0.95 s'
                                 THEN %(at)s::timestamptz
                                      + (o.asked ->> 'ttl_seconds')::int * interval '1 s'
                                 ELSE o.expires_at END
          FROM sums s JOIN keys_allocation o ON o.id = s.allocation_id
         WHERE a.id = o.id
        RETURNING a.id, a.session_id, a.agent_id, a.api_key_id, a.payers, a.status, a.allocated,
                  a.used, a.held, a.overrun, a.auto_rotate, s.tokens, s.cost, s.unheld,
                  s.unheld_cost, s.charges, s.expired,
                  a.warned_at IS NOT NULL AND o.warned_at IS NULL AS crossed,
                  keys_committed_by(o.status, o.allocated, o.used, o.held)
                      - keys_committed_by(a.status, a.allocated, a.used, a.held) AS freed,
                  keys_committed_by(o.status, o.allocated_cost, o.used_cost, o.held_cost)
                      - keys_committed_by(a.status, a.allocated_cost, a.used_cost, a.held_cost)
                      AS freed_cost
    ),
    -- What each scope's windows have used, and no longer committed.
    moves AS (
        SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost,
               sum(freed) AS freed, sum(freed_cost) AS freed_cost
          FROM (
            -- Payers: everything.
            SELECT unnest(payers) AS scope, tokens, cost, freed, freed_cost FROM spent
            UNION ALL
            -- The key that an active allocation is on: what is no longer committed.
            SELECT 'key:' || api_key_id, 0, 0, freed, freed_cost FROM spent WHERE status = 'active'
            UNION ALL
            -- The key of each call: what it used; and what it held, if the allocation is elsewhere.
            SELECT 'key:' || e.api_key_id, e.tokens, e.cost,
                   CASE WHEN on_its_key THEN 0 ELSE e.unheld END,
                   CASE WHEN on_its_key THEN 0 ELSE e.unheld_cost END
              FROM ended e JOIN spent s ON s.id = e.allocation_id,
                   LATERAL (SELECT s.status = 'active' AND s.api_key_id = e.api_key_id)
                       AS x(on_its_key)
          ) AS each
         GROUP BY scope
    ),
"""  # noqa: S608 - a constant
_SPENT = """
    SELECT id, session_id, agent_id, api_key_id, status, allocated, used, held, overrun,
           auto_rotate, crossed, tokens, cost, charges, expired,
           (SELECT array_agg(DISTINCT scope) FROM counted
             WHERE "full" AND scope LIKE 'key:%%') AS full_keys,
           (SELECT array_agg(id) FROM counted WHERE warned) AS warned_windows
      FROM spent
"""
# All of it for charges that end now. Returns `Spent`, one row per allocation.
SPEND = f"""
    {MOVES}
    -- The windows, with what was used.
    counted AS (
        UPDATE keys_window w
           SET used = w.used + keys_in_unit(w.unit, m.tokens, m.cost),
               committed = w.committed - keys_in_unit(w.unit, m.freed, m.freed_cost)
          FROM moves m
         WHERE w.scope = m.scope AND w.closed_at IS NULL
        RETURNING w.id, w.scope, w.used >= w.amount AS full,
                  w.used >= w.next_threshold AS warned,
                  w.ends_at <= %(at)s::timestamptz OR w.starts_at > %(at)s::timestamptz AS elsewhen
    )
    {_SPENT}
"""  # noqa: S608 - constants
# After SPEND: fails, and with it the transaction, if anything follows from what ended
# (`after_settlement.follow`), or if `at` is not in the period of a window. A condition and not a
# column, so that the rows are the same.
PLAIN_ONLY = """
     WHERE CASE WHEN crossed OR used >= allocated OR overrun OR expired IS NOT NULL
                     OR (SELECT bool_or("full" AND scope LIKE 'key:%%' OR warned OR elsewhen)
                           FROM counted)
                THEN keys_not_plain() ELSE true END
"""
# The same for one charge that costs more or less than before, and was settled at the `settled_at`
# of `ended`: it also changes the windows that have closed since.
SPEND_EARLIER = f"""
    {MOVES}
    -- The windows that are open, and those in which the charge counts (`of_charge`). The last one
    -- of a removed limit ended while settlements may have been under way: it stays as it is.
    windows AS MATERIALIZED (
        SELECT w.id, e.settled_at >= w.starts_at AND e.settled_at < w.ends_at AS of_charge
          FROM ended e, moves m
          JOIN keys_limit l ON l.scope = m.scope
          JOIN keys_window w ON w.limit_id = l.id
         WHERE w.closed_at IS NULL
            OR e.settled_at >= w.starts_at AND e.settled_at < w.ends_at
               AND l.removed_at IS DISTINCT FROM w.closed_at
         ORDER BY w.id FOR NO KEY UPDATE OF w
    ),
    -- Their new figures.
    counted AS (
        UPDATE keys_window w
           SET used = w.used + CASE WHEN x.of_charge THEN keys_in_unit(w.unit, m.tokens, m.cost)
                                    ELSE 0 END,
               committed = w.committed - CASE WHEN w.closed_at IS NULL
                                              THEN keys_in_unit(w.unit, m.freed, m.freed_cost)
                                              ELSE 0 END
          FROM windows x, moves m
         WHERE w.id = x.id AND m.scope = w.scope
        RETURNING w.id, w.scope, w.closed_at IS NULL AND w.used >= w.amount AS full,
                  w.closed_at IS NULL AND w.used >= w.next_threshold AS warned
    )
    {_SPENT}
"""  # noqa: S608 - constants
