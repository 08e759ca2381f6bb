"""Hold tokens for many calls in one statement, which is its own transaction.

Each request is for `least` to `most` tokens. The holds of one allocation are made in the order of
`n`, each with as many tokens as the earlier ones left. The statement returns one row for each, with
the facts of a refusal. The `outcome` is

- `held`: `tokens` are held, at least `least`;
- `small`: fewer than `least` are left or, if the call is `patient`, fewer than `most` while others
  are held;
- `again`: run the statement again for this hold. What earlier holds of the batch left is known only
  after it, or one of them has the same idempotency key;
- `closed`, `expired`: the state of the allocation; `disabled`: its agent is switched off;
  `unknown`: the allocation does not exist;
- `frozen`: a freeze stops the call; `frozen` names what is frozen;
- `rotated`: the allocation is not on the expected key; `key`: its key cannot serve now;
- `paced`: the key has rates per minute. Run the statement again under PACE, with `paced`; then
  `paced` means that the key has no place left in this minute, until `free_at`;
- `earlier`: the idempotency key was used before; the row describes its charge.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import NoRow, Statement
from keys.refusals import BudgetNumbers


class HoldResult(NamedTuple):
    """A hold: the charge, as `settle_many` takes it.

    `key_version` changes with the key's or its provider's row. `left`: tokens of the allocation
    that can still be held.
    """

    pk: int
    allocation_id: int
    api_key_id: str
    price_id: int
    tokens: int
    cost: Decimal
    key_version: str
    left: int


class HoldRow(NamedTuple):
    """The row that HOLD returns for one hold.

    Which columns are filled depends on `outcome`; the others are NULL. `charge` to `key_version`
    and `left` describe what was `held`, which has no moments; `status` and `until` are the key's
    where the key refuses; `earlier…` describe the charge that the idempotency key made before;
    `fits_alone`: whether `least` would fit if nothing were held; `frozen`: the scope whose freeze
    stops it. Of an `unknown` allocation only `n` and `outcome` are known.
    """

    n: int
    outcome: str
    charge: int
    api_key: str
    price: int
    tokens: int
    cost: Decimal
    key_version: str
    session_id: str
    status: str
    allocated: int
    used: int
    held: int
    until: datetime | None
    created_at: datetime
    expires_at: datetime
    earlier: int
    earlier_status: str
    earlier_digest: bytes | None
    fits_alone: bool
    frozen: str | None

    @property
    def left(self) -> int:
        return max(self.allocated - self.used - self.held, 0)

    @property
    def budget(self) -> BudgetNumbers:
        """The allocation's numbers, in tokens, and its time."""
        return {
            "session_id": self.session_id,
            "allocated": self.allocated,
            "used": self.used,
            "held": self.held,
            "left": self.left,
            "starts_at": self.created_at,
            "ends_at": self.expires_at,
        }


# Lock the rates per minute of these keys, in the order of their slugs, until the transaction ends.
PACE = Statement(
    """
    SELECT pg_advisory_xact_lock(hashtextextended('pace:' || slug, 0))
      FROM (SELECT unnest(%(keys)s::text[]) AS slug ORDER BY slug) k
    """,
    NoRow,
)


# The common case of HOLD: a single call with a new idempotency key, on the expected key (if any),
# which can serve and has no rates per minute. Without a row, HOLD decides and gives the reason.
HOLD_ONE = Statement(
    """
    -- The allocation, locked, if it is the plain case: its room, and what of it is held.
    WITH room AS MATERIALIZED (
        SELECT a.id, a.session_id, a.api_key_id, a.payers, a.agent_id,
               coalesce(%(price)s, a.price_id) AS price_id,
               a.allocated - a.used - a.held AS free, f.tokens,
               greatest(least(
                   round(f.tokens * f.token_cost, 9) + %(call_cost)s,
                   a.allocated_cost - a.used_cost - a.held_cost
               ), 0) AS cost,
               k.xmin::text || '.' || p.xmin::text AS version
          FROM keys_allocation a
         CROSS JOIN LATERAL (
            SELECT coalesce(%(token_cost)s, a.token_cost_max) AS token_cost,
                   least(keys_affordable(a.allocated - a.used - a.held,
                                         a.allocated_cost - a.used_cost - a.held_cost
                                             - %(call_cost)s,
                                         coalesce(%(token_cost)s, a.token_cost_max)),
                         %(most)s) AS tokens) f
          JOIN keys_apikey k ON k.slug = a.api_key_id
          JOIN keys_provider p ON p.slug = k.provider_id
          JOIN keys_agent ag ON ag.slug = a.agent_id
         WHERE a.id = %(allocation)s AND a.status = 'active' AND a.expires_at > %(now)s
           AND f.tokens >= %(least)s
           AND (%(call_cost)s = 0
                OR %(call_cost)s <= a.allocated_cost - a.used_cost - a.held_cost)
           AND ag.disabled_at IS NULL
           AND (f.tokens >= %(most)s OR a.held = 0 OR NOT %(patient)s)
           AND k.requests_per_minute IS NULL AND k.tokens_per_minute IS NULL
           AND (%(api_key)s::text = ''
                OR a.api_key_id = %(api_key)s::text
                   AND (k.status IN ('active', 'exhausted')
                        OR k.status IN ('cooling', 'suspended') AND k.cooling_until <= %(now)s))
           FOR NO KEY UPDATE OF a
    ),
    -- The charge; none if its idempotency key was used before, or a freeze stops it. That is asked
    -- when the allocation is locked.
    made AS (
        INSERT INTO keys_charge (
            allocation_id, api_key_id, price_id, model, asked_model, idempotency_key,
            request_digest, route, status, basis, held_tokens, held_cost, input_tokens,
            cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, tokens, cost,
            overrun, created_at, expires_at)
        SELECT id, api_key_id, price_id, %(model)s, %(asked_model)s, %(idempotency_key)s,
               %(digest)s::bytea, %(route)s, 'held', 'reported', tokens, cost, 0, 0, 0, 0, 0, 0, 0,
               false, %(now)s, %(until)s
          FROM room
         WHERE keys_frozen(payers, agent_id, api_key_id) IS NULL
            ON CONFLICT (allocation_id, idempotency_key) DO NOTHING
        RETURNING id, allocation_id
    ),
    -- The allocation, with what is held.
    held AS (
        UPDATE keys_allocation a
           SET held = a.held + r.tokens, held_cost = a.held_cost + r.cost,
               wire_format = coalesce(nullif(a.wire_format, ''), %(wire_format)s)
          FROM room r JOIN made m ON m.allocation_id = r.id WHERE a.id = r.id
    )
    SELECT m.id AS pk, r.id AS allocation_id, r.api_key_id, r.price_id, r.tokens, r.cost,
           r.version AS key_version, (r.free - r.tokens)::bigint AS left
      FROM made m, room r
    """,
    HoldResult,
)


# The cost of all holds never exceeds the rest of what the allocation has committed, although the
# rounded costs of many calls may add up to more: then the last ones are cut. So a hold does not
# change what the allocation has committed, and updates no window.
HOLD = Statement(
    """
    -- What is asked for.
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(holds)s) AS g(
            n int, allocation bigint, api_key text, least bigint, most bigint, idempotency_key text,
            digest text, model text, asked_model text, route text, wire_format text,
            until timestamptz, price bigint, token_cost numeric, call_cost numeric, guest boolean,
            patient boolean)
    ),
    -- The allocations, locked in the order of locks, with what they have free.
    room AS MATERIALIZED (
        SELECT a.id, a.session_id, a.agent_id, a.api_key_id, a.price_id, a.status, a.expires_at,
               a.allocated, a.used, a.held, a.token_cost_max, a.wire_format, a.created_at, a.payers,
               a.allocated - a.used - a.held AS free,
               a.allocated_cost - a.used_cost - a.held_cost AS free_cost,
               a.allocated_cost - a.used_cost AS unused_cost
          FROM keys_allocation a
         WHERE a.id = ANY(ARRAY(SELECT allocation FROM given))
         ORDER BY a.id
           FOR NO KEY UPDATE
    ),
    -- The keys that they are on; whether each serves, and its rates per minute.
    keys AS MATERIALIZED (
        SELECT k.slug, k.status, k.cooling_until, k.requests_per_minute, k.tokens_per_minute,
               k.xmin::text || '.' || p.xmin::text AS version,
               k.status IN ('active', 'exhausted')
                   OR k.status IN ('cooling', 'suspended') AND k.cooling_until <= %(now)s AS serves
          FROM keys_apikey k JOIN keys_provider p ON p.slug = k.provider_id
         WHERE k.slug = ANY(ARRAY(SELECT api_key_id FROM room
                                  UNION ALL SELECT api_key FROM given WHERE guest))
    ),
    -- What of these rates is taken now, when places are counted.
    places AS (
        SELECT api_key_id AS slug, count(*) AS requests, sum(tokens) AS tokens,
               min(expires_at) AS first
          FROM keys_ratelease
         WHERE %(paced)s AND api_key_id = ANY(ARRAY(SELECT slug FROM keys)) AND expires_at > %(now)s
         GROUP BY api_key_id
    ),
    -- What is asked for, with its allocation; and where the USD of an allocation may be scarcer
    -- than its tokens: since a model is dearer than what it was lent for, or was, or a call costs
    -- more than its tokens. There `alone`: one hold at a time.
    asked AS (
        SELECT g.*, r.id, r.session_id, r.agent_id, r.payers, r.status, r.created_at, r.expires_at,
               r.allocated, r.used, r.held, r.token_cost_max, r.free, r.free_cost, r.unused_cost,
               CASE WHEN g.guest THEN g.api_key ELSE r.api_key_id END AS on_key,
               r.api_key_id AS own_key, r.price_id AS own_price,
               min(g.n) OVER every AS first,
               coalesce(bool_or(g.token_cost > r.token_cost_max OR g.call_cost > 0) OVER every
                        OR keys_affordable(r.free, r.free_cost, r.token_cost_max) < r.free,
                        false) AS alone
          FROM given g LEFT JOIN room r ON r.id = g.allocation
        WINDOW every AS (PARTITION BY g.allocation)
         ORDER BY g.n
    ),
    -- The freeze that stops each, if one does. The order of `asked` makes that all allocations are
    -- locked before the first is asked.
    checked AS MATERIALIZED (
        SELECT *, CASE WHEN id IS NOT NULL THEN keys_frozen(payers, agent_id, on_key) END AS frozen
          FROM asked
    ),
    -- Each hold with its key, places and earlier charge; `no`: why it cannot be.
    looked AS (
        SELECT g.n, g.least, g.most, g.idempotency_key, g.digest, g.model, g.asked_model, g.route,
               g.until, g.call_cost, g.patient, g.frozen, g.id, g.session_id, k.slug AS api_key_id,
               coalesce(g.price, g.own_price) AS price_id, g.status, g.created_at, g.expires_at,
               g.allocated, g.used, g.held, g.free_cost, g.unused_cost, k.version,
               coalesce(g.token_cost, g.token_cost_max) AS token_cost_max,
               CASE WHEN g.call_cost > 0 AND g.call_cost > g.free_cost THEN 0
                    WHEN g.alone THEN keys_affordable(
                        g.free, g.free_cost - g.call_cost, coalesce(g.token_cost, g.token_cost_max))
                    ELSE g.free END AS free,
               k.status AS key_status, k.cooling_until, k.requests_per_minute,
               k.tokens_per_minute,
               coalesce(p.requests, 0) AS requests_now, coalesce(p.tokens, 0) AS tokens_now,
               coalesce(p.first, %(now)s + interval '1 minute') AS free_at,
               c.id AS earlier, c.status AS earlier_status,
               c.request_digest AS earlier_digest,
               CASE WHEN g.id IS NULL THEN 'unknown'
                    WHEN c.id IS NOT NULL THEN 'earlier'
                    -- The same key twice in this batch: the second finds the charge of the first.
                    WHEN row_number() OVER (PARTITION BY g.id, g.idempotency_key ORDER BY g.n) > 1
                    THEN 'again'
                    WHEN g.alone AND g.n > g.first THEN 'again'
                    WHEN g.status <> 'active' THEN 'closed'
                    WHEN g.expires_at <= %(now)s THEN 'expired'
                    WHEN ag.disabled_at IS NOT NULL THEN 'disabled'
                    WHEN g.frozen IS NOT NULL THEN 'frozen'
                    WHEN g.api_key <> '' AND g.api_key <> g.own_key AND NOT g.guest
                    THEN 'rotated'
                    WHEN g.api_key <> '' AND NOT k.serves THEN 'key'
                    WHEN (k.requests_per_minute IS NOT NULL OR k.tokens_per_minute IS NOT NULL)
                         AND (NOT %(paced)s
                              OR coalesce(p.requests, 0) + row_number() OVER on_key
                                 > k.requests_per_minute
                              -- A call larger than the whole minute passes when it is alone in it.
                              OR coalesce(p.tokens, 0) + sum(g.most) OVER on_key
                                 > greatest(k.tokens_per_minute,
                                            CASE WHEN p.slug IS NULL
                                                      AND row_number() OVER on_key = 1
                                                 THEN g.most END))
                    THEN 'paced' END AS no
          FROM checked g
          LEFT JOIN keys k ON k.slug = g.on_key
          LEFT JOIN places p ON p.slug = k.slug
          LEFT JOIN keys_agent ag ON ag.slug = g.agent_id
          LEFT JOIN ONLY keys_charge c
                 ON c.allocation_id = g.id AND c.idempotency_key = g.idempotency_key
        WINDOW on_key AS (PARTITION BY k.slug ORDER BY g.n)
    ),
    -- What is free at least for each hold, if all before it get what they want.
    running AS (
        SELECT *,
               free - coalesce(sum(most) FILTER (WHERE no IS NULL) OVER before, 0) AS at_least_free
          FROM looked
        WINDOW before AS (PARTITION BY id ORDER BY n
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    -- Which get all they want, and the first of each allocation that does not.
    tried AS (
        SELECT *, no IS NULL AND at_least_free >= most AS whole,
               -- All before it got what they wanted, so what is left for it is known.
               no IS NULL AND at_least_free < most AND count(*) FILTER (
                   WHERE no IS NULL AND at_least_free < most) OVER before = 0 AS first_short
          FROM running
        WINDOW before AS (PARTITION BY id ORDER BY n
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    -- What each gets: all it wants or, the first that does not, what is left.
    gave AS (
        SELECT *, CASE WHEN whole THEN most
                       WHEN first_short AND at_least_free >= least
                            AND (NOT patient OR held = 0 AND at_least_free = free)
                       THEN at_least_free END AS tokens
          FROM tried
    ),
    -- What it costs, and what others of the batch get of the same allocation.
    priced AS (
        SELECT *, coalesce(sum(tokens) OVER every, 0) AS given_away,
               greatest(least(
                   round(tokens * token_cost_max, 9) + call_cost,
                   free_cost - coalesce(sum(round(tokens * token_cost_max, 9)) OVER before, 0)
               ), 0) AS cost
          FROM gave
        WINDOW every AS (PARTITION BY id),
               before AS (PARTITION BY id ORDER BY n
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ),
    -- The charges.
    made AS (
        INSERT INTO keys_charge (
            allocation_id, api_key_id, price_id, model, asked_model, idempotency_key,
            request_digest, route, status, basis, held_tokens, held_cost, input_tokens,
            cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, tokens, cost,
            overrun, created_at, expires_at)
        SELECT id, api_key_id, price_id, model, asked_model, idempotency_key,
               decode(digest, 'hex'), route, 'held', 'reported', tokens, cost, 0, 0, 0, 0, 0, 0, 0,
               false, %(now)s, until
          FROM priced WHERE tokens IS NOT NULL
         ORDER BY n
            ON CONFLICT (allocation_id, idempotency_key) DO NOTHING
        RETURNING id, allocation_id, api_key_id, idempotency_key, held_tokens, held_cost
    ),
    -- Their places in the rates per minute.
    leased AS (
        INSERT INTO keys_ratelease (charge_id, api_key_id, tokens, expires_at)
        SELECT m.id, m.api_key_id, m.held_tokens, %(now)s + interval '1 minute'
          FROM made m JOIN keys k ON k.slug = m.api_key_id
         WHERE k.requests_per_minute IS NOT NULL OR k.tokens_per_minute IS NOT NULL
    ),
    -- The allocations, with what is held.
    held AS (
        UPDATE keys_allocation a
           SET held = a.held + m.tokens, held_cost = a.held_cost + m.cost,
               wire_format = coalesce(
                   nullif(a.wire_format, ''),
                   (SELECT max(wire_format) FROM given g
                     WHERE g.allocation = a.id AND NOT g.guest), '')
          FROM (SELECT allocation_id, sum(held_tokens) AS tokens, sum(held_cost) AS cost
                  FROM made GROUP BY allocation_id) m
         WHERE a.id = m.allocation_id
    )
    SELECT p.n,
           CASE WHEN m.id IS NOT NULL THEN 'held'
                -- The places that it missed were counted for others, which did not take them.
                WHEN p.no = 'paced' AND %(paced)s
                     AND coalesce(
                         requests_now + count(m.id) OVER on_key < requests_per_minute, true)
                     AND coalesce(tokens_now + coalesce(sum(m.held_tokens) OVER on_key, 0) + p.most
                                      <= tokens_per_minute
                                  OR requests_now + count(m.id) OVER on_key = 0, true)
                THEN 'again'
                WHEN p.no IS NOT NULL THEN p.no
                WHEN p.tokens IS NOT NULL THEN 'again'
                WHEN p.first_short OR p.least > p.free - p.given_away THEN 'small'
                ELSE 'again' END AS outcome,
           m.id AS charge, p.api_key_id AS api_key, p.price_id AS price, m.held_tokens AS tokens,
           m.held_cost AS cost, p.version AS key_version, p.session_id,
           CASE WHEN p.no = 'key' THEN p.key_status ELSE p.status END AS status,
           p.allocated, p.used, (p.held + p.given_away)::bigint AS held,
           -- Only a refusal names moments, which take longer to read than the rest of the row.
           CASE WHEN m.id IS NOT NULL THEN NULL
                WHEN p.no = 'key' THEN p.cooling_until ELSE p.free_at END AS until,
           CASE WHEN m.id IS NULL THEN p.created_at END AS created_at,
           CASE WHEN m.id IS NULL THEN p.expires_at END AS expires_at,
           p.earlier, p.earlier_status, p.earlier_digest,
           p.unused_cost >= p.call_cost
               AND keys_affordable(p.allocated - p.used, p.unused_cost - p.call_cost,
                                   p.token_cost_max) >= p.least
               AS fits_alone,
           p.frozen
      FROM priced p
      LEFT JOIN made m ON m.allocation_id = p.id AND m.idempotency_key = p.idempotency_key
                      -- Not for another one of this batch with the same key.
                      AND p.tokens IS NOT NULL
    WINDOW on_key AS (PARTITION BY p.api_key_id ORDER BY p.n
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
     ORDER BY p.n
    """,
    HoldRow,
)


# Extend the holds of running calls, so that they do not expire. Charges that end now are skipped.
EXTEND_HOLDS = Statement(
    """
    UPDATE ONLY keys_charge SET expires_at = %(until)s
     WHERE id IN (SELECT id FROM ONLY keys_charge WHERE id = ANY(%(charges)s) AND status = 'held'
                   ORDER BY id FOR UPDATE SKIP LOCKED)
    """,
    NoRow,
)
