"""Calls that were made: pay for them, close what is used up. All of it runs under LOCK."""

# The first half of ending charges, in two forms. Both give `ended`: one row per charge with what
# it no longer holds and what it cost. Run under LOCK, so nothing here can change meanwhile.
# What is to expire may have been renewed since it was looked at.
# A call's place in the rates per minute takes what was really used; only a live one, since those
# that are over may be removed at this moment, in another order.
_END_HELD = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(endings)s) AS g(
        id bigint, status text, basis text, input_tokens bigint, cached_tokens bigint,
        cache_write_tokens bigint, cache_write_long_tokens bigint, audio_input_tokens bigint,
        output_tokens bigint, reasoning_tokens bigint, audio_output_tokens bigint, tokens bigint,
        cost numeric, provider_cost numeric, provider_request_id text)
), before AS (
    SELECT c.id, c.status AS was, c.held_tokens, c.held_cost
      FROM keys_charge c JOIN given g ON g.id = c.id
     WHERE c.status = 'held' AND (g.status <> 'expired' OR c.expires_at <= %(at)s)
        OR c.status = 'expired' AND g.status = 'settled'
), ended AS (
    UPDATE keys_charge c
       SET status = g.status, basis = g.basis, input_tokens = g.input_tokens,
           cached_tokens = g.cached_tokens, cache_write_tokens = g.cache_write_tokens,
           cache_write_long_tokens = g.cache_write_long_tokens,
           audio_input_tokens = g.audio_input_tokens, output_tokens = g.output_tokens,
           reasoning_tokens = g.reasoning_tokens, audio_output_tokens = g.audio_output_tokens,
           tokens = g.tokens, cost = g.cost, provider_cost = g.provider_cost,
           provider_request_id = g.provider_request_id,
           overrun = g.status = 'settled' AND g.tokens > c.held_tokens,
           settled_at = CASE WHEN g.status = 'settled' THEN %(at)s::timestamptz END
      FROM given g, before b
     WHERE c.id = g.id AND b.id = c.id
    RETURNING c.id, c.allocation_id, c.api_key_id, c.tokens, c.cost, c.overrun,
              CASE WHEN b.was = 'held' THEN b.held_tokens ELSE 0 END AS unheld,
              CASE WHEN b.was = 'held' THEN b.held_cost ELSE 0 END AS unheld_cost
), leased AS (
    UPDATE keys_ratelease l SET tokens = e.tokens
      FROM ended e WHERE l.charge_id = e.id AND l.expires_at > %(at)s
), """


_RECORD_NEW = """
WITH ended AS (
    INSERT INTO keys_charge (
        allocation_id, api_key_id, price_id, model, idempotency_key, status, basis, held_tokens,
        held_cost, input_tokens, cached_tokens, cache_write_tokens, cache_write_long_tokens,
        audio_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, tokens, cost,
        overrun, created_at, expires_at, settled_at)
    SELECT a.id, a.api_key_id, %(price)s, %(model)s, %(idempotency_key)s, 'settled', 'reported', 0,
           0, %(input_tokens)s, %(cached_tokens)s, %(cache_write_tokens)s,
           %(cache_write_long_tokens)s, %(audio_input_tokens)s, %(output_tokens)s,
           %(reasoning_tokens)s, %(audio_output_tokens)s, %(tokens)s, %(cost)s,
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
         WHERE allocation_id = a.id AND status = 'held' AND api_key_id = a.api_key_id) h ON true
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
