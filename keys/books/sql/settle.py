"""End held charges: settle, release or expire them."""

from common.statements import Statement
from keys.books.sql.slices import change, usage_of
from keys.books.sql.spend import PLAIN_ONLY, SPEND, Spent

# Settle, release or expire held charges (a list of objects): the rest of each hold goes back. Under
# LOCK, so none of the rows can change during the statement.
_END = (
    f"""
    -- How each charge ends.
    WITH given AS (
        SELECT id, status, basis, cost, provider_cost,
               -- Counts of zero and empty texts are left out.
               coalesce(input_tokens, 0) AS input_tokens,
               coalesce(cached_tokens, 0) AS cached_tokens,
               coalesce(cache_write_tokens, 0) AS cache_write_tokens,
               coalesce(cache_write_long_tokens, 0) AS cache_write_long_tokens,
               coalesce(audio_input_tokens, 0) AS audio_input_tokens,
               coalesce(image_input_tokens, 0) AS image_input_tokens,
               coalesce(output_tokens, 0) AS output_tokens,
               coalesce(reasoning_tokens, 0) AS reasoning_tokens,
               coalesce(audio_output_tokens, 0) AS audio_output_tokens,
               coalesce(image_output_tokens, 0) AS image_output_tokens,
               coalesce(web_searches, 0) AS web_searches, coalesce(tokens, 0) AS tokens,
               coalesce(search_kind, '') AS search_kind,
               coalesce(service_tier, '') AS service_tier,
               coalesce(provider_request_id, '') AS provider_request_id
          FROM jsonb_to_recordset(%(endings)s) AS g(
            id bigint, status text, basis text, input_tokens bigint, cached_tokens bigint,
            cache_write_tokens bigint, cache_write_long_tokens bigint, audio_input_tokens bigint,
            image_input_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
            audio_output_tokens bigint, image_output_tokens bigint, web_searches int,
            search_kind text, tokens bigint, cost numeric, service_tier text,
            provider_cost numeric, provider_request_id text)
    ),
    -- The charges that can still end so, ended: what each cost and what it no longer holds. One
    -- that should expire may have been extended. `is_sent`: its hold expires, and the gateway made
    -- it, which releases what it does not send. What it was charged then can be corrected once,
    -- unless a window that it counts in has closed. `b`: the charge before.
    ended AS (
        UPDATE ONLY keys_charge c
           SET status = CASE WHEN x.is_sent THEN 'settled' ELSE g.status END,
               basis = CASE WHEN x.is_sent THEN 'estimated' ELSE g.basis END,
               input_tokens = g.input_tokens,
               cached_tokens = g.cached_tokens, cache_write_tokens = g.cache_write_tokens,
               cache_write_long_tokens = g.cache_write_long_tokens,
               audio_input_tokens = g.audio_input_tokens,
               image_input_tokens = g.image_input_tokens, output_tokens = g.output_tokens,
               reasoning_tokens = g.reasoning_tokens, audio_output_tokens = g.audio_output_tokens,
               image_output_tokens = g.image_output_tokens,
               web_searches = g.web_searches,
               search_kind = g.search_kind,
               tokens = CASE WHEN x.is_sent THEN b.held_tokens ELSE g.tokens END,
               cost = CASE WHEN x.is_sent THEN b.held_cost ELSE g.cost END,
               service_tier = g.service_tier,
               provider_cost = g.provider_cost,
               provider_request_id = g.provider_request_id,
               -- More tokens than held, or searches that cost more than held.
               overrun = g.status = 'settled'
                         AND (g.tokens > c.held_tokens
                              OR g.web_searches > 0 AND g.cost > c.held_cost),
               settled_at = CASE WHEN g.status = 'settled' OR x.is_sent
                                 THEN coalesce(c.settled_at, %(at)s::timestamptz) END,
               hold_expired_at = CASE WHEN x.is_sent THEN %(at)s::timestamptz END
          FROM given g JOIN ONLY keys_charge b ON b.id = g.id,
               LATERAL (SELECT g.status = 'expired' AND b.route <> '' AND b.held_tokens > 0)
                   AS x(is_sent)
         WHERE c.id = b.id
           AND (b.status = 'held' AND (g.status <> 'expired' OR b.expires_at <= %(at)s)
                OR b.status = 'expired' AND g.status = 'settled'
                OR b.hold_expired_at IS NOT NULL AND g.status <> 'expired'
                   AND NOT EXISTS (
                       SELECT FROM keys_window w JOIN keys_allocation a ON a.id = b.allocation_id
                        WHERE w.scope = ANY('key:' || b.api_key_id || a.payers)
                          AND w.closed_at IS NULL AND w.starts_at > b.settled_at))
        RETURNING c.id, c.allocation_id, c.api_key_id, c.overrun, x.is_sent,
                  c.tokens AS paced_tokens,
                  CASE WHEN b.status = 'held' THEN b.held_tokens ELSE 0 END AS unheld,
                  CASE WHEN b.status = 'held' THEN b.held_cost ELSE 0 END AS unheld_cost,
                  c.model, coalesce(b.settled_at, %(at)s::timestamptz) AS counts_at,
                  {change({**usage_of("b"), "expired": "0"}, usage_of("c"))}
    ),
    -- Its place in the rates per minute gets the tokens really used. Only if the place is live:
    -- those that have expired may be deleted right now, in another order.
    leased AS (
        UPDATE keys_ratelease l SET tokens = e.paced_tokens
          FROM ended e WHERE l.charge_id = e.id AND l.expires_at > %(at)s
    ),
    """  # noqa: S608 - a constant
    + SPEND
)
END = Statement(_END, Spent)
# The same if nothing follows from it; otherwise it raises NOT_PLAIN and changes nothing.
END_PLAIN = Statement(_END + PLAIN_ONLY, Spent)
# The SQLSTATE of `keys_not_plain()`.
NOT_PLAIN = "BU001"
