"""Lending: look, choose among candidates, commit; move what is committed; say what lacks."""

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
       CASE WHEN r.most > 0 THEN trunc(%(payers_usd)s::numeric / r.most)::bigint END,
       CASE WHEN k.sandbox THEN '' ELSE v.wire_format END
  FROM keys_apikey k
  JOIN keys_price p ON p.id = k.price_id
  JOIN keys_provider v ON v.slug = k.provider_id
 CROSS JOIN LATERAL (
    -- As `Price.token_cost_max`.
    SELECT greatest(p.input, p.cached, p.cache_write, p.cache_write_long, p.audio_input, p.output,
                    p.audio_output, p.tier_max) / 1000 AS most) r
  LEFT JOIN free f ON f.scope = 'key:' || k.slug
"""


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
        rotation_threshold, auto_rotate, wire_format, refusal_status, provider_expanded,
        idempotency_key, asked, created_at, expires_at)
    SELECT %(session_id)s, %(agent_id)s, %(cost_centre_id)s, %(api_key_id)s, %(price_id)s,
           %(payers)s, 'active', '', %(allocated)s, 0, 0, %(allocated_cost)s, 0, 0,
           %(token_cost_max)s, false, %(rotation_threshold)s, %(auto_rotate)s, %(wire_format)s,
           %(refusal_status)s, %(provider_expanded)s, %(idempotency_key)s, %(asked)s,
           %(created_at)s, %(expires_at)s
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


# Change what is committed (arrays of equal length), under LOCK.
MOVE = """
UPDATE keys_window w
   SET committed = w.committed + CASE w.unit WHEN 'tokens' THEN m.tokens ELSE m.cost END
  FROM unnest(%(scope)s::text[], %(tokens)s::bigint[], %(cost)s::numeric[])
       AS m(scope, tokens, cost)
 WHERE w.scope = m.scope AND w.closed_at IS NULL
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
