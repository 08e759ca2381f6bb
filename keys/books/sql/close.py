"""Close allocations: what they do not hold goes back to the windows."""

from typing import NamedTuple

from common.statements import Statement


class Closed(NamedTuple):
    """An allocation that was closed."""

    session_id: str
    audit_entry_id: int


# Close active allocations, under LOCK: all that they do not hold goes back to the windows.
CLOSE = Statement(
    """
    -- What each had committed, and what its calls in flight hold, in all and on its key.
    WITH before AS (
        SELECT a.id, a.payers, 'key:' || a.api_key_id AS on_key, a.held, a.held_cost,
               keys_committed_by(a.status, a.allocated, a.used, a.held) AS had,
               keys_committed_by(a.status, a.allocated_cost, a.used_cost, a.held_cost)
                   AS had_cost,
               coalesce(h.tokens, 0) AS held_on_key, coalesce(h.cost, 0) AS held_on_key_cost
          FROM keys_allocation a
          LEFT JOIN LATERAL (
            SELECT sum(held_tokens)::bigint AS tokens, sum(held_cost) AS cost
              FROM ONLY keys_charge
             WHERE allocation_id = a.id AND status = 'held' AND api_key_id = a.api_key_id) h
            ON true
         WHERE a.id = ANY(%(allocations)s) AND a.status = 'active'
    ),
    -- The allocations, closed.
    closed AS (
        UPDATE keys_allocation a
           SET status = %(status)s, status_reason = %(reason)s, closed_at = %(at)s
          FROM before b WHERE a.id = b.id
        RETURNING a.session_id, a.agent_id, a.api_key_id, a.used, a.allocated
    ),
    -- What goes back to each scope.
    moves AS (
        SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost
          FROM (SELECT unnest(payers) AS scope, had - held AS tokens, had_cost - held_cost AS cost
                  FROM before
                UNION ALL
                SELECT on_key, had - held_on_key, had_cost - held_on_key_cost FROM before) AS each
         GROUP BY scope
    ),
    -- Given back in the windows.
    freed AS (
        UPDATE keys_window w
           SET committed = w.committed - keys_in_unit(w.unit, m.tokens, m.cost)
          FROM moves m WHERE w.scope = m.scope AND w.closed_at IS NULL
    )
    -- Each with its entry in the audit.
    SELECT session_id,
           security_audit(
               at => %(at)s,
               actor_name => %(actor_name)s,
               actor_kind => %(actor_kind)s,
               address => %(address)s,
               request_id => %(request_id)s,
               action => 'allocation.close',
               subjects => ARRAY[
                   'session:' || session_id, 'agent:' || agent_id, 'key:' || api_key_id],
               after => jsonb_build_object(
                   'status', %(status)s::text, 'used', used, 'allocated', allocated),
               reason => %(reason)s
           ) AS audit_entry_id
      FROM closed
    """,
    Closed,
)
