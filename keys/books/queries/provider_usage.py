"""What was used of a provider, for a comparison with its own reports."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, fetch_unprepared


class ProviderUsage(NamedTuple):
    """The usage of a UTC day with one API key and model. `cost` is in USD; `cached_tokens` and
    `cache_write_tokens` are among the `input_tokens`."""

    day: date
    api_key: str
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost: Decimal


class ProviderCall(NamedTuple):
    """A settled call with the id that the provider gave it, and its cost with adjustments."""

    charge_id: int
    request_id: str
    day: date
    api_key: str
    model: str
    cost: Decimal


PROVIDER_USAGE = Statement(
    """
    SELECT (s.starts_at AT TIME ZONE 'UTC')::date AS day, s.api_key_id AS api_key,
           coalesce(nullif(s.model, ''), k.model) AS model,
           sum(s.calls)::bigint AS calls, sum(s.input_tokens)::bigint AS input_tokens,
           sum(s.cached_tokens)::bigint AS cached_tokens,
           sum(s.cache_write_tokens)::bigint AS cache_write_tokens,
           sum(s.output_tokens)::bigint AS output_tokens, sum(s.cost) AS cost
      FROM keys_usageslice s JOIN keys_apikey k ON k.slug = s.api_key_id
     WHERE s.starts_at >= %(since)s AND s.starts_at < %(until)s AND k.provider_id = %(provider)s
     GROUP BY 1, 2, 3
    HAVING sum(s.calls) <> 0 OR sum(s.cost) <> 0
     ORDER BY 1, 2, 3
    """,
    ProviderUsage,
)
PROVIDER_CALLS = Statement(
    """
    SELECT c.id AS charge_id, c.provider_request_id AS request_id,
           (c.settled_at AT TIME ZONE 'UTC')::date AS day, c.api_key_id AS api_key,
           coalesce(nullif(c.model, ''), k.model) AS model,
           c.cost + coalesce(a.cost, 0) AS cost
      FROM keys_charge c
      JOIN keys_apikey k ON k.slug = c.api_key_id
      LEFT JOIN (
           SELECT charge_id, sum(cost) AS cost FROM keys_adjustment
            WHERE settled_at >= %(since)s AND settled_at < %(until)s GROUP BY charge_id
           ) a ON a.charge_id = c.id
     WHERE c.settled_at >= %(since)s AND c.settled_at < %(until)s AND c.status = 'settled'
       AND c.api_key_id = ANY(%(api_keys)s) AND c.provider_request_id <> ''
     ORDER BY c.id
    """,
    ProviderCall,
)


ESTIMATED_CALLS = Statement(
    """
    SELECT c.id AS charge_id, c.provider_request_id AS request_id,
           (c.settled_at AT TIME ZONE 'UTC')::date AS day, c.api_key_id AS api_key,
           coalesce(nullif(c.model, ''), k.model) AS model, c.cost AS cost
      FROM keys_charge c JOIN keys_apikey k ON k.slug = c.api_key_id
     WHERE c.settled_at >= %(since)s AND c.settled_at < %(until)s AND c.status = 'settled'
       AND k.provider_id = %(provider)s AND c.basis = 'estimated' AND c.provider_request_id <> ''
       AND NOT EXISTS (SELECT FROM keys_adjustment a WHERE a.charge_id = c.id)
     ORDER BY c.id
    """,
    ProviderCall,
)


def provider_usage(provider: str, *, since: datetime, until: datetime) -> list[ProviderUsage]:
    """The usage in `[since, until)`, which begins and ends at midnight in UTC; from slices."""
    return fetch_unprepared(PROVIDER_USAGE, provider=provider, since=since, until=until)


def provider_calls(
    api_keys: Sequence[str], *, since: datetime, until: datetime
) -> list[ProviderCall]:
    """The calls with an id of the provider that were settled in `[since, until)`; from charges."""
    return fetch_unprepared(PROVIDER_CALLS, api_keys=list(api_keys), since=since, until=until)


def estimated_provider_calls(
    provider: str, *, since: datetime, until: datetime
) -> list[ProviderCall]:
    """The calls of a provider with its id that were settled on an estimate in `[since, until)`, and
    never adjusted."""
    return fetch_unprepared(ESTIMATED_CALLS, provider=provider, since=since, until=until)
