"""Counted again from allocations and charges: what windows must have committed and used."""

# What is committed in the windows of each scope, counted from allocations and charges.
COMMITTED = """
SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost
  FROM (
    SELECT unnest(payers) AS scope,
           CASE status WHEN 'active' THEN greatest(allocated - used, held) ELSE held END AS tokens,
           CASE status WHEN 'active' THEN greatest(allocated_cost - used_cost, held_cost)
                       ELSE held_cost END AS cost
      FROM keys_allocation WHERE status = 'active' OR held > 0
    UNION ALL
    SELECT 'key:' || api_key_id, greatest(allocated - used, held),
           greatest(allocated_cost - used_cost, held_cost)
      FROM keys_allocation WHERE status = 'active'
    UNION ALL
    SELECT 'key:' || c.api_key_id, c.held_tokens, c.held_cost
      FROM keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
     WHERE c.status = 'held' AND NOT (a.status = 'active' AND a.api_key_id = c.api_key_id)
  ) AS each
 GROUP BY scope
"""


# What settled charges of a scope used in [starts_at, ends_at).
USED = """
SELECT coalesce(sum(c.tokens), 0) AS tokens, coalesce(sum(c.cost), 0) AS cost
  FROM keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
 WHERE c.status = 'settled' AND c.settled_at >= %(starts_at)s AND c.settled_at < %(ends_at)s
   AND (%(scope)s = 'key:' || c.api_key_id OR %(scope)s = ANY(a.payers))
"""
