"""Choose a key: the agent and the payers, what every key has free, which windows lack room."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement
from keys.books.selection import Candidate
from keys.limits.sql import granted, left
from keys.supply.sql import WISHED


class AskerRow(NamedTuple):
    """The agent of a request, and what its payers have free (None: unlimited).

    `books_joined` is empty: its expression takes the shared lock of the books. `earlier`: the id of
    the allocation that the same request got before. `allow_lists`: JSON, the scope, models and
    providers of each payer that does not allow everything. `own`, `asked`: the paths of the agent's
    cost centre and of the requested one. `frozen`: the frozen scope for which nothing is lent.
    `closed`: the cost centre that would pay, if it is closed.
    """

    books_joined: str
    earlier: int | None
    disabled_at: datetime | None
    allow_lists: str
    own: list[str]
    asked: list[str] | None
    payers: list[str]
    tokens_free: int | None
    usd_free: Decimal | None
    frozen: str | None
    closed: str | None


class LackingWindow(NamedTuple):
    """An open window without room for the request; the amounts are in its `unit`.

    `carried`: the part of `amount` that was carried over.
    """

    window_id: int
    scope: str
    unit: str
    period: str
    amount: Decimal
    used: Decimal
    committed: Decimal
    carried: Decimal
    ends_at: datetime


# What `allocate` reads before it chooses: an earlier allocation of the same request, the agent, the
# payers, and what they have free (NULL: unlimited). A window that has ended counts as reset.
LOOK = Statement(
    """
    -- The agent, its cost centre and the one asked for, and who pays besides the key.
    WITH asking AS MATERIALIZED (
        SELECT a.slug, a.disabled_at, own.path AS own, asked.path AS asked,
               CASE WHEN asked.slug IS NULL AND own.closed_at IS NOT NULL THEN own.slug
                    WHEN asked.closed_at IS NOT NULL THEN asked.slug END AS closed,
               ARRAY['agent:' || a.slug]
                   || (SELECT array_agg('centre:' || p.slug ORDER BY p.place)
                         FROM unnest(coalesce(asked.path, own.path))
                              WITH ORDINALITY AS p(slug, place)) AS payers
          FROM keys_agent a
          JOIN keys_costcentre own ON own.slug = a.cost_centre_id
          LEFT JOIN keys_costcentre asked ON asked.slug = %(cost_centre)s
         WHERE a.slug = %(agent)s
    ),
    -- What the payers allow, where that is not everything.
    allowing AS (
        SELECT 'agent:' || slug AS scope, allowed_models AS models, allowed_providers AS providers
          FROM keys_agent WHERE slug = %(agent)s
        UNION ALL
        SELECT 'centre:' || slug, allowed_models, allowed_providers
          FROM keys_costcentre
         WHERE slug = ANY((SELECT coalesce(asked, own) FROM asking)::text[])
    ),
    -- What each open window of the payers has free, with the grants that run.
    free AS (
        SELECT w.unit,
               g.amount + """  # noqa: S608 - constants
    + left("w", at="%(now)s")
    + """ AS left
          FROM keys_window w CROSS JOIN LATERAL ("""
    + granted("w", at="%(now)s")
    + """) g
         WHERE w.scope = ANY((SELECT payers FROM asking)::text[]) AND w.closed_at IS NULL
    )
    SELECT pg_advisory_xact_lock_shared(%(books_lock)s) AS books_joined,
           (SELECT id FROM keys_allocation
             WHERE agent_id = asking.slug AND idempotency_key = %(idempotency_key)s) AS earlier,
           disabled_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(scope, models, providers) ORDER BY scope),
                            '[]')
              FROM allowing WHERE models <> '{}' OR providers <> '{}') AS allow_lists,
           own, asked, payers,
           (SELECT trunc(min("left"))::bigint FROM free WHERE unit = 'tokens') AS tokens_free,
           (SELECT min("left") FROM free WHERE unit = 'usd') AS usd_free,
           (SELECT min(scope) FROM keys_freeze
             WHERE thawed_at IS NULL AND scope = ANY(keys_freeze_scopes(payers, slug, '')))
               AS frozen,
           closed
      FROM asking
    """,
    AskerRow,
)


class ServedPrice(NamedTuple):
    """A model asked for that a key serves, with its price there."""

    model: str
    price_id: int


# Which of the models a key serves.
SERVED_BY_KEY = Statement(
    WISHED  # noqa: S608 - a constant
    + """
    SELECT w.model, s.price_id
      FROM wished w JOIN keys_servedmodel s ON s.model_id = w.id
     WHERE s.api_key_id = %(key)s
    """,
    ServedPrice,
)


# Every API key with what it has free at this moment, and whether it serves all the `models`; what
# it costs is then the price of the dearest of them there. Without `models` it is the price of the
# key's own model or, if an allow-list excludes that, of the cheapest that is allowed. The names of
# models and providers must match every regular expression of `allowed_models` (a model by the name
# asked for or its own) and `allowed_providers`.
CANDIDATES = Statement(
    WISHED  # noqa: S608 - a constant
    + """,
    -- How many of these models each key serves, and the dearest price among them.
    served AS (
        SELECT s.api_key_id, count(*) AS models,
               count(*) FILTER (WHERE w.model ~ ALL(%(allowed_models)s::text[])
                                   OR w.name ~ ALL(%(allowed_models)s::text[])) AS allowed,
               (array_agg(s.price_id ORDER BY keys_token_cost_max(p) DESC, p.id))[1] AS price_id
          FROM wished w JOIN keys_servedmodel s ON s.model_id = w.id
          JOIN keys_price p ON p.id = s.price_id
         GROUP BY s.api_key_id
    ),
    -- Where models are restricted: the price of the model of each key that is then its default.
    defaults AS (
        SELECT DISTINCT ON (s.api_key_id) s.api_key_id, s.price_id
          FROM keys_servedmodel s
          JOIN keys_cataloguemodel c ON c.id = s.model_id
          JOIN keys_apikey k ON k.slug = s.api_key_id
          JOIN keys_price p ON p.id = s.price_id
         WHERE cardinality(%(allowed_models)s::text[]) > 0
           AND cardinality(%(models)s::text[]) = 0
           AND lower(c.name) ~ ALL(%(allowed_models)s::text[])
         ORDER BY s.api_key_id, c.name <> k.model, c.outputs = '{embeddings}',
                  keys_token_cost_max(p), c.name
    ),
    -- What the tightest open window of each key and unit has free, and has in all.
    free AS (
        SELECT scope,
               min("left") FILTER (WHERE unit = 'tokens') AS tokens,
               min("left") FILTER (WHERE unit = 'usd') AS usd,
               min(amount) FILTER (WHERE unit = 'tokens') AS all_tokens,
               min(amount) FILTER (WHERE unit = 'usd') AS all_usd
          FROM (SELECT scope, unit, amount, """
    + left("w", at="%(now)s")
    + """ AS "left" FROM keys_window w WHERE closed_at IS NULL AND scope LIKE 'key:%%') AS each
         GROUP BY scope
    ),
    -- What is frozen.
    frozen AS (
        SELECT scope FROM keys_freeze WHERE thawed_at IS NULL
    )
    SELECT k.slug, k.provider_id AS provider, k.model,
           CASE WHEN 'key:' || k.slug IN (SELECT scope FROM frozen)
                  OR 'provider:' || k.provider_id IN (SELECT scope FROM frozen)
                THEN 'frozen'
                WHEN k.status = 'exhausted'
                  OR k.status IN ('cooling', 'suspended') AND k.cooling_until <= %(now)s
                THEN 'active'
                ELSE k.status END AS status,
           k.priority,
           trunc(CASE WHEN r.most > 0 THEN least(f.tokens, f.usd / r.most)
                      ELSE f.tokens END)::bigint AS capacity,
           p.input + p.output AS cost, p.id AS price_id,
           CASE WHEN r.most > 0
                THEN trunc(%(payers_usd)s::numeric / r.most)::bigint END AS payable,
           CASE WHEN k.sandbox THEN '' ELSE v.wire_format END AS wire_format,
           coalesce(s.models, 0) = cardinality(%(models)s::text[]) AS serves,
           CASE WHEN NOT k.provider_id ~ ALL(%(allowed_providers)s::text[])
                THEN 'provider_not_allowed'
                WHEN s.allowed < s.models
                  OR cardinality(%(allowed_models)s::text[]) > 0
                     AND cardinality(%(models)s::text[]) = 0 AND d.price_id IS NULL
                THEN 'model_not_allowed'
                ELSE '' END AS excluded,
           trunc(CASE WHEN r.most > 0 THEN least(f.all_tokens, f.all_usd / r.most)
                      ELSE f.all_tokens END)::bigint AS size
      FROM keys_apikey k
      LEFT JOIN served s ON s.api_key_id = k.slug
      LEFT JOIN defaults d ON d.api_key_id = k.slug
      JOIN keys_price p ON p.id = coalesce(s.price_id, d.price_id, k.price_id)
      JOIN keys_provider v ON v.slug = k.provider_id
     CROSS JOIN LATERAL (
        SELECT greatest(keys_token_cost_max(p), %(token_cost)s) AS most) r
      LEFT JOIN free f ON f.scope = 'key:' || k.slug
    """,
    Candidate,
)


# Windows without room for the request, for the text of a refusal.
LACKING = Statement(
    """
    SELECT w.id AS window_id, l.scope, w.unit, l.period,
           w.amount - CASE WHEN w.ends_at > %(now)s THEN 0 ELSE w.carried END + g.amount AS amount,
           CASE WHEN w.ends_at > %(now)s THEN w.used ELSE 0 END AS used, w.committed,
           CASE WHEN w.ends_at > %(now)s THEN w.carried ELSE 0 END AS carried, w.ends_at
      FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
     CROSS JOIN LATERAL ("""  # noqa: S608 - constants
    + granted("w", at="%(now)s")
    + """) g
     WHERE w.closed_at IS NULL AND w.scope = ANY(%(scopes)s)
       AND g.amount + """
    + left("w", at="%(now)s")
    + """
           < keys_in_unit(w.unit, %(tokens)s, %(cost)s)
     ORDER BY w.ends_at, w.id
     LIMIT 20
    """,
    LackingWindow,
)
