"""The SQL of the books, written once: run by the services and by the gateway's own connections.

Locks are taken in one order everywhere: **allocations by id, then open windows by id**. A charge
changes only under the lock of its allocation, and what a window has committed only under its own.
Every statement takes named parameters (psycopg style).

What an allocation has committed in a window (the books check counts it again):

- while active, in its payers' windows and in its key's: `greatest(allocated - used, held)`;
- once closed, what its calls in flight still hold;
- on a key it was rotated away from, what its calls in flight there still hold.

A statement that pays runs under LOCK, as a statement of its own: its snapshot then has every
window that LOCK waited for.
"""

# Shared by everybody who commits or settles, exclusive for whoever opens or changes windows, so
# that nobody pays or commits by a snapshot from before the window was there.
BOOKS_LOCK = 0x6B657973

# One allocation, committed in all its windows or in none, with its decision and its history.
# Answers whether the windows are of this moment and have room; when not, nothing was written.
ALLOCATE = """
WITH locked AS MATERIALIZED (
    SELECT id, unit, used, committed, amount, starts_at, ends_at
      FROM keys_window
     WHERE scope = ANY(%(scopes)s) AND closed_at IS NULL
     ORDER BY id
       FOR NO KEY UPDATE
), moment AS (
    -- Another process may have opened a window a moment ahead of our clock.
    SELECT greatest(%(created_at)s, max(starts_at)) AS at FROM locked
), verdict AS (
    SELECT min(m.at) AS at,
           coalesce(bool_and(m.at < l.ends_at), true) AS current,
           -- Nothing fits everywhere: a free key under a USD limit that is overdrawn.
           coalesce(bool_and(
               l.unit = 'usd' AND %(allocated_cost)s = 0 OR l.used + l.committed
                   + CASE l.unit WHEN 'tokens' THEN %(allocated)s ELSE %(allocated_cost)s END
               <= l.amount), true) AS fits
      FROM moment m LEFT JOIN locked l ON true
), committed AS (
    UPDATE keys_window w
       SET committed = w.committed
               + CASE w.unit WHEN 'tokens' THEN %(allocated)s ELSE %(allocated_cost)s END
      FROM locked l, verdict v
     WHERE w.id = l.id AND v.current AND v.fits
), made AS (
    INSERT INTO keys_allocation (
        session_id, agent_id, cost_centre_id, api_key_id, price_id, payers, status, status_reason,
        allocated, used, held, allocated_cost, used_cost, held_cost, token_cost_max, overrun,
        rotation_threshold, auto_rotate, provider_expanded, idempotency_key, asked,
        created_at, expires_at)
    SELECT %(session_id)s, %(agent_id)s, %(cost_centre_id)s, %(api_key_id)s, %(price_id)s,
           %(payers)s, 'active', '', %(allocated)s, 0, 0, %(allocated_cost)s, 0, 0,
           %(token_cost_max)s, false, %(rotation_threshold)s, %(auto_rotate)s,
           %(provider_expanded)s, %(idempotency_key)s, %(asked)s, %(created_at)s, %(expires_at)s
      FROM verdict v
     WHERE v.current AND v.fits
    RETURNING id
), decided AS (
    INSERT INTO keys_decision (allocation_id, verdicts) SELECT id, %(verdicts)s FROM made
), noted AS (
    INSERT INTO keys_history (kind, at, scope, agent_slug, session_id, who, why, after)
    SELECT 'allocation', %(created_at)s, 'key:' || %(api_key_id)s, %(agent_id)s, %(session_id)s,
           %(who)s, '', %(after)s
      FROM made
)
SELECT v.at, v.current, v.fits, (SELECT id FROM made) FROM verdict v
"""

# Set aside in an allocation for one call. No row: it is closed, over, or has not enough left.
# The cost is no more than is left of it, though roundings of many calls may add up to more: what
# the allocation has committed stays the same, so a hold touches no window.
HOLD = """
WITH room AS MATERIALIZED (
    SELECT id, api_key_id, price_id,
           greatest(least(round(%(tokens)s * token_cost_max, 9),
                          allocated_cost - used_cost - held_cost), 0) AS cost
      FROM keys_allocation
     WHERE id = %(allocation)s AND status = 'active' AND expires_at > %(now)s
       AND used + held + %(tokens)s <= allocated
       FOR NO KEY UPDATE
), held AS (
    UPDATE keys_allocation a
       SET held = a.held + %(tokens)s, held_cost = a.held_cost + room.cost
      FROM room WHERE a.id = room.id
)
INSERT INTO keys_charge (
    allocation_id, api_key_id, price_id, model, idempotency_key, state, basis, held_tokens,
    held_cost, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    tokens, cost, overrun, created_at, expires_at)
SELECT id, api_key_id, price_id, %(model)s, %(idempotency_key)s, 'held', 'reported', %(tokens)s,
       cost, 0, 0, 0, 0, 0, 0, 0, false, %(now)s, %(expires_at)s
  FROM room
RETURNING id, api_key_id, price_id, held_cost
"""

# Take a share of the books. A statement of its own: the next one's snapshot then has every limit
# and window that was made while this one waited.
JOIN = "SELECT pg_advisory_xact_lock_shared(%(books_lock)s)"

# Lock the allocations, then the open windows that they and `scopes` stand under. The count is there
# so that the allocations are locked where there is no window at all. `later`: when the newest
# window begins, if another process opened it a moment ahead of our clock.
LOCK = """
WITH locked AS MATERIALIZED (
    SELECT a.api_key_id, a.payers FROM keys_allocation a
     WHERE a.id = ANY(%(allocations)s) ORDER BY a.id FOR NO KEY UPDATE OF a
), scopes AS MATERIALIZED (
    SELECT 'key:' || api_key_id AS scope FROM locked
    UNION SELECT unnest(payers) FROM locked
    UNION SELECT unnest(%(scopes)s::text[])
), windows AS MATERIALIZED (
    SELECT * FROM keys_window
     WHERE scope IN (SELECT scope FROM scopes) AND closed_at IS NULL
     ORDER BY id FOR NO KEY UPDATE
)
SELECT w.id, w.scope, w.unit, w.amount, w.used, w.committed,
       w.ends_at <= greatest(%(now)s, max(w.starts_at) OVER ()) AS over,
       nullif(greatest(%(now)s, max(w.starts_at) OVER ()), %(now)s) AS later
  FROM (SELECT count(*) FROM locked) n LEFT JOIN windows w ON true
"""

# The first half of ending charges, in two forms. Both give `ended`: one row per charge with what
# it no longer holds and what it cost. Run under LOCK, so nothing here can change meanwhile.
_END_HELD = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(endings)s) AS g(
        id bigint, state text, basis text, input_tokens bigint, cached_tokens bigint,
        cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint, tokens bigint,
        cost numeric)
), before AS (
    SELECT c.id, c.state AS was, c.held_tokens, c.held_cost
      FROM keys_charge c JOIN given g ON g.id = c.id
     WHERE c.state = 'held' OR (c.state = 'expired' AND g.state = 'settled')
), ended AS (
    UPDATE keys_charge c
       SET state = g.state, basis = g.basis, input_tokens = g.input_tokens,
           cached_tokens = g.cached_tokens, cache_write_tokens = g.cache_write_tokens,
           output_tokens = g.output_tokens, reasoning_tokens = g.reasoning_tokens,
           tokens = g.tokens, cost = g.cost,
           overrun = g.state = 'settled' AND g.tokens > c.held_tokens,
           settled_at = CASE WHEN g.state = 'settled' THEN %(at)s::timestamptz END
      FROM given g, before b
     WHERE c.id = g.id AND b.id = c.id
    RETURNING c.id, c.allocation_id, c.api_key_id, c.tokens, c.cost, c.overrun,
              CASE WHEN b.was = 'held' THEN b.held_tokens ELSE 0 END AS unheld,
              CASE WHEN b.was = 'held' THEN b.held_cost ELSE 0 END AS unheld_cost
), """

_RECORD_NEW = """
WITH ended AS (
    INSERT INTO keys_charge (
        allocation_id, api_key_id, price_id, model, idempotency_key, state, basis, held_tokens,
        held_cost, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, tokens, cost, overrun, created_at, expires_at, settled_at)
    SELECT a.id, a.api_key_id, %(price)s, %(model)s, %(idempotency_key)s, 'settled', 'reported', 0,
           0, %(input_tokens)s, %(cached_tokens)s, %(cache_write_tokens)s, %(output_tokens)s,
           %(reasoning_tokens)s, %(tokens)s, %(cost)s,
           %(overrun)s, %(at)s, %(at)s, %(at)s
      FROM keys_allocation a
     WHERE a.id = %(allocation)s
    RETURNING id, allocation_id, api_key_id, tokens, cost, overrun,
              0 AS unheld, 0::numeric AS unheld_cost
), """

# The second half: pay it in the allocations and in the windows. One row per allocation comes back.
_PAY = """
sums AS (
    SELECT allocation_id, sum(tokens)::bigint AS tokens, sum(cost) AS cost,
           sum(unheld)::bigint AS unheld, sum(unheld_cost) AS unheld_cost,
           array_agg(id) AS charges, bool_or(overrun) AS overrun
      FROM ended GROUP BY allocation_id
), spent AS (
    UPDATE keys_allocation a
       SET used = o.used + s.tokens, held = o.held - s.unheld,
           used_cost = o.used_cost + s.cost, held_cost = o.held_cost - s.unheld_cost,
           overrun = o.overrun OR s.overrun
                     OR o.used + s.tokens + o.held - s.unheld > o.allocated,
           warned_at = CASE WHEN o.status = 'active' AND o.used + s.tokens >= o.rotation_threshold
                            THEN coalesce(o.warned_at, %(at)s) ELSE o.warned_at END
      FROM sums s JOIN keys_allocation o ON o.id = s.allocation_id
     WHERE a.id = o.id
    RETURNING a.id, a.session_id, a.agent_id, a.api_key_id, a.payers, a.status, a.allocated,
              a.used, a.held, a.overrun, a.auto_rotate, s.tokens, s.cost, s.unheld,
              s.unheld_cost, s.charges,
              a.warned_at IS NOT NULL AND o.warned_at IS NULL AS crossed,
              CASE WHEN a.status = 'active' THEN greatest(o.allocated - o.used, o.held)
                        - greatest(a.allocated - a.used, a.held)
                   ELSE s.unheld END AS freed,
              CASE WHEN a.status = 'active'
                   THEN greatest(o.allocated_cost - o.used_cost, o.held_cost)
                        - greatest(a.allocated_cost - a.used_cost, a.held_cost)
                   ELSE s.unheld_cost END AS freed_cost
), moves AS (
    SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost,
           sum(freed) AS freed, sum(freed_cost) AS freed_cost
      FROM (
        SELECT unnest(payers) AS scope, tokens, cost, freed, freed_cost FROM spent
        UNION ALL
        SELECT 'key:' || api_key_id, 0, 0, freed, freed_cost FROM spent WHERE status = 'active'
        UNION ALL
        SELECT 'key:' || e.api_key_id, e.tokens, e.cost,
               CASE WHEN on_its_key THEN 0 ELSE e.unheld END,
               CASE WHEN on_its_key THEN 0 ELSE e.unheld_cost END
          FROM ended e JOIN spent s ON s.id = e.allocation_id,
               LATERAL (SELECT s.status = 'active' AND s.api_key_id = e.api_key_id) AS x(on_its_key)
      ) AS each
     GROUP BY scope
), paid AS (
    UPDATE keys_window w
       SET used = w.used + CASE w.unit WHEN 'tokens' THEN m.tokens ELSE m.cost END,
           committed = w.committed - CASE w.unit WHEN 'tokens' THEN m.freed ELSE m.freed_cost END
      FROM moves m
     WHERE w.scope = m.scope AND w.closed_at IS NULL
    RETURNING w.scope, w.used >= w.amount AS full
)
SELECT id, session_id, agent_id, api_key_id, status, allocated, used, held, overrun, auto_rotate,
       crossed, tokens, cost, charges,
       (SELECT array_agg(DISTINCT scope) FROM paid
         WHERE "full" AND scope LIKE 'key:%%') AS full_keys
  FROM spent
"""


def _on_one_line(statement: str) -> str:
    """Without its indentation: psycopg parses a text of over 4,096 characters anew each time."""
    return " ".join(statement.split())


# Settle, release or expire held charges (a list of objects): what is left of a hold goes back.
END = _on_one_line(_END_HELD + _PAY)

# Record usage nobody held before: a settled charge at once.
RECORD = _on_one_line(_RECORD_NEW + _PAY)

# What a report must know before it is recorded, under LOCK.
REPORTED = """
SELECT a.api_key_id, a.price_id, a.used + a.held + %(tokens)s > a.allocated,
       (SELECT id FROM keys_charge
         WHERE allocation_id = a.id AND idempotency_key = %(idempotency_key)s)
  FROM keys_allocation a WHERE a.id = %(allocation)s
"""

# Change what is committed (arrays of equal length), under LOCK.
MOVE = """
UPDATE keys_window w
   SET committed = w.committed + CASE w.unit WHEN 'tokens' THEN m.tokens ELSE m.cost END
  FROM unnest(%(scope)s::text[], %(tokens)s::bigint[], %(cost)s::numeric[])
       AS m(scope, tokens, cost)
 WHERE w.scope = m.scope AND w.closed_at IS NULL
"""

# Close active allocations, under LOCK: all they do not hold any more goes back.
CLOSE = """
WITH before AS (
    SELECT a.id, a.payers, 'key:' || a.api_key_id AS on_key, a.held, a.held_cost,
           greatest(a.allocated - a.used, a.held) AS had,
           greatest(a.allocated_cost - a.used_cost, a.held_cost) AS had_cost,
           coalesce(h.tokens, 0) AS held_on_key, coalesce(h.cost, 0) AS held_on_key_cost
      FROM keys_allocation a
      LEFT JOIN LATERAL (
        SELECT sum(held_tokens)::bigint AS tokens, sum(held_cost) AS cost
          FROM keys_charge
         WHERE allocation_id = a.id AND state = 'held' AND api_key_id = a.api_key_id) h ON true
     WHERE a.id = ANY(%(allocations)s) AND a.status = 'active'
), closed AS (
    UPDATE keys_allocation a
       SET status = %(status)s, status_reason = %(reason)s, closed_at = %(at)s
      FROM before b WHERE a.id = b.id
    RETURNING a.id, a.session_id, a.agent_id, a.used, a.allocated
), moves AS (
    SELECT scope, sum(tokens) AS tokens, sum(cost) AS cost
      FROM (SELECT unnest(payers) AS scope, had - held AS tokens, had_cost - held_cost AS cost
              FROM before
            UNION ALL
            SELECT on_key, had - held_on_key, had_cost - held_on_key_cost FROM before) AS each
     GROUP BY scope
), freed AS (
    UPDATE keys_window w
       SET committed = w.committed - CASE w.unit WHEN 'tokens' THEN m.tokens ELSE m.cost END
      FROM moves m WHERE w.scope = m.scope AND w.closed_at IS NULL
)
INSERT INTO keys_history (kind, at, scope, agent_slug, session_id, who, why, after)
SELECT 'close', %(at)s, '', agent_id, session_id, %(who)s, %(reason)s,
       jsonb_build_object('status', %(status)s::text, 'used', used, 'allocated', allocated)
  FROM closed
RETURNING session_id
"""

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
     WHERE c.state = 'held' AND NOT (a.status = 'active' AND a.api_key_id = c.api_key_id)
  ) AS each
 GROUP BY scope
"""

# What settled charges of a scope used in [starts_at, ends_at).
USED = """
SELECT coalesce(sum(c.tokens), 0) AS tokens, coalesce(sum(c.cost), 0) AS cost
  FROM keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
 WHERE c.state = 'settled' AND c.settled_at >= %(starts_at)s AND c.settled_at < %(ends_at)s
   AND (%(scope)s = 'key:' || c.api_key_id OR %(scope)s = ANY(a.payers))
"""

# What allocate must know before it chooses: the same request made before, who asks, who pays, and
# what the payers have free (NULL: unlimited). A window whose period is over counts as the next one
# will begin: nothing used.
LOOK = """
WITH asking AS MATERIALIZED (
    SELECT a.slug, a.disabled_at, own.path AS own, asked.path AS asked,
           ARRAY['agent:' || a.slug]
               || (SELECT array_agg('centre:' || p.slug ORDER BY p.place)
                     FROM unnest(coalesce(asked.path, own.path)) WITH ORDINALITY AS p(slug, place)
                  ) AS payers
      FROM keys_agent a
      JOIN keys_costcentre own ON own.slug = a.cost_centre_id
      LEFT JOIN keys_costcentre asked ON asked.slug = %(cost_centre)s
     WHERE a.slug = %(agent)s
), free AS (
    SELECT unit, amount - committed - CASE WHEN ends_at > %(now)s THEN used ELSE 0 END AS left
      FROM keys_window
     WHERE scope = ANY((SELECT payers FROM asking)::text[]) AND closed_at IS NULL
)
SELECT pg_advisory_xact_lock_shared(%(books_lock)s),
       (SELECT id FROM keys_allocation
         WHERE agent_id = asking.slug AND idempotency_key = %(idempotency_key)s),
       disabled_at, own, asked, payers,
       (SELECT trunc(min("left"))::bigint FROM free WHERE unit = 'tokens'),
       (SELECT min("left") FROM free WHERE unit = 'usd')
  FROM asking
"""

# Every API key as a `selection.Candidate` (NULL: unlimited).
CANDIDATES = """
WITH free AS (
    SELECT scope,
           min(amount - committed - CASE WHEN ends_at > %(now)s THEN used ELSE 0 END)
               FILTER (WHERE unit = 'tokens') AS tokens,
           min(amount - committed - CASE WHEN ends_at > %(now)s THEN used ELSE 0 END)
               FILTER (WHERE unit = 'usd') AS usd
      FROM keys_window WHERE closed_at IS NULL AND scope LIKE 'key:%%' GROUP BY scope
)
SELECT k.slug, k.provider_id, k.model,
       CASE WHEN k.status = 'exhausted'
              OR k.status = 'cooling' AND k.cooling_until <= %(now)s THEN 'active'
            ELSE k.status END,
       k.priority,
       trunc(CASE WHEN r.most > 0 THEN least(f.tokens, f.usd / r.most) ELSE f.tokens END)::bigint,
       p.input + p.output, p.id,
       CASE WHEN r.most > 0 THEN trunc(%(payers_usd)s::numeric / r.most)::bigint END
  FROM keys_apikey k
  JOIN keys_price p ON p.id = k.price_id
 CROSS JOIN LATERAL (
    SELECT greatest(p.input, p.cached, p.cache_write, p.output) / 1000 AS most) r
  LEFT JOIN free f ON f.scope = 'key:' || k.slug
"""

# Windows without room for what is asked, for the words of a refusal.
LACKING = """
SELECT w.id, l.scope, w.unit, l.period, w.amount,
       CASE WHEN w.ends_at > %(now)s THEN w.used ELSE 0 END, w.committed, w.ends_at
  FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
 WHERE w.closed_at IS NULL AND w.scope = ANY(%(scopes)s)
   AND w.amount - w.committed - CASE WHEN w.ends_at > %(now)s THEN w.used ELSE 0 END
       < CASE w.unit WHEN 'tokens' THEN %(tokens)s ELSE %(cost)s END
 ORDER BY w.ends_at, w.id
 LIMIT 20
"""
