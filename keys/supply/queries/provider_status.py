"""What the fleet of API keys can do and did today, in all and by provider."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, fetch
from keys.books.queries.pages import midnight


class Figures(NamedTuple):
    """Of some keys: `count`, how many are `lendable` and how many `unlimited` (no daily limit).

    `capacity`, `used`, `committed`, `remaining`: tokens of the daily limits, `used` with what
    unlimited keys used since midnight UTC; `capacity` and `remaining` are None when every key is
    unlimited. `cost_today`: USD since midnight UTC.
    """

    count: int
    lendable: int
    unlimited: int
    capacity: int | None
    used: int
    committed: int
    remaining: int | None
    cost_today: Decimal


class ProviderRow(NamedTuple):
    """The figures of one provider, as in `Figures`."""

    provider: str
    count: int
    lendable: int
    unlimited: int
    capacity: int | None
    used: int
    committed: int
    remaining: int | None
    cost_today: Decimal


BY_PROVIDER = Statement(
    """
    -- What the charges since midnight used, by key.
    WITH spent AS (
        SELECT api_key_id, sum(tokens) AS tokens, sum(cost) AS cost
          FROM keys_charge WHERE status = 'settled' AND settled_at >= %(midnight)s
         GROUP BY api_key_id
    ),
    -- The daily limits of tokens of keys: a window whose period is over counts as begun anew.
    daily AS (
        SELECT w.scope, w.amount, w.committed,
               CASE WHEN w.ends_at > %(now)s THEN w.used ELSE 0 END AS used
          FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
         WHERE w.closed_at IS NULL AND w.unit = 'tokens' AND l.period = 'day'
           AND l.api_key_id IS NOT NULL
    )
    SELECT k.provider_id AS provider, count(*) AS count,
           count(*) FILTER (WHERE k.status = 'active' OR k.status = 'exhausted'
                               OR k.status = 'cooling' AND k.cooling_until <= %(now)s) AS lendable,
           count(*) FILTER (WHERE d.scope IS NULL) AS unlimited,
           sum(d.amount)::bigint AS capacity,
           coalesce(sum(coalesce(d.used, s.tokens)), 0)::bigint AS used,
           coalesce(sum(d.committed), 0)::bigint AS committed,
           (sum(greatest(d.amount - d.used - d.committed, 0)) FILTER (WHERE d.scope <> ''))::bigint
               AS remaining,
           coalesce(sum(s.cost), 0) AS cost_today
      FROM keys_apikey k
      LEFT JOIN daily d ON d.scope = 'key:' || k.slug
      LEFT JOIN spent s ON s.api_key_id = k.slug
     GROUP BY k.provider_id
     ORDER BY k.provider_id
    """,
    ProviderRow,
)


def fleet_figures(*, now: datetime) -> tuple[Figures, dict[str, Figures]]:
    """The totals, and the figures of each provider that has keys; one query."""
    found = fetch(BY_PROVIDER, now=now, midnight=midnight(now))
    by_provider = {provider: Figures(*figures) for provider, *figures in found}
    return _total(list(by_provider.values())), by_provider


def _total(parts: list[Figures]) -> Figures:
    def total(name: str):
        known = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        return sum(known) if known else None

    sums = {name: total(name) for name in Figures._fields}
    return Figures(
        **{
            name: (0 if value is None and name not in ("capacity", "remaining") else value)
            for name, value in sums.items()
        }
    )
