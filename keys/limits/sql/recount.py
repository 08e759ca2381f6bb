"""What windows must have committed and used, counted again from allocations and charges."""

from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement


class Committed(NamedTuple):
    """What is committed in the windows of one scope, in tokens and in USD."""

    scope: str
    tokens: Decimal
    cost: Decimal


class Used(NamedTuple):
    """What was used, in tokens and in USD."""

    tokens: Decimal
    cost: Decimal


# What is committed in the windows of each scope, counted from allocations and charges.
COMMITTED = Statement(
    """
    SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost
      FROM (
        -- On payers: everything that allocations have committed.
        SELECT unnest(payers) AS scope,
               keys_committed_by(status, allocated, used, held) AS tokens,
               keys_committed_by(status, allocated_cost, used_cost, held_cost) AS cost
          FROM keys_allocation WHERE status = 'active' OR held > 0
        UNION ALL
        -- On the key that an active allocation is on: likewise.
        SELECT 'key:' || api_key_id, keys_committed_by(status, allocated, used, held),
               keys_committed_by(status, allocated_cost, used_cost, held_cost)
          FROM keys_allocation WHERE status = 'active'
        UNION ALL
        -- On any other key: the calls that are in flight there.
        SELECT 'key:' || c.api_key_id, c.held_tokens, c.held_cost
          FROM ONLY keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
         WHERE c.status = 'held' AND NOT (a.status = 'active' AND a.api_key_id = c.api_key_id)
      ) AS each
     GROUP BY scope
    """,
    Committed,
)


# What the calls of a scope that were settled in [starts_at, ends_at) used.
USED = Statement(
    """
    SELECT coalesce(sum(u.tokens), 0) AS tokens, coalesce(sum(u.cost), 0) AS cost
      FROM keys_settled_usage u JOIN keys_allocation a ON a.id = u.allocation_id
     WHERE u.status = 'settled' AND u.settled_at >= %(starts_at)s AND u.settled_at < %(ends_at)s
       AND (%(scope)s = 'key:' || u.api_key_id OR %(scope)s = ANY(a.payers))
    """,
    Used,
)
