"""What the API keys can lend and what they used today, in total and by provider."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, fetch
from keys.books.queries.pages import midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of `count` API keys: how many are `lendable`, how many have no daily limit.

    `capacity`, `used`, `committed`, `remaining`: tokens of the daily limits, `used` with what
    unlimited keys used since midnight UTC; `capacity` and `remaining` are None when every key is
    unlimited. `cost_today`: USD since midnight UTC, of one agent or of all.
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
    """The figures of one provider that has keys, as in `Figures`."""

    provider: str
    key_count: int
    lendable: int
    unlimited: int
    capacity: int | None
    used: int
    committed: int
    remaining: int | None
    cost_today: Decimal


BY_PROVIDER = Statement(
    """
    -- What the calls since midnight used, by key; the cost of one agent, or of all.
    WITH spent AS (
        SELECT u.api_key_id, sum(u.tokens) AS tokens,
               sum(u.cost) FILTER (WHERE %(agent)s::text IS NULL OR a.agent_id = %(agent)s) AS cost
          FROM keys_settled_usage u JOIN keys_allocation a ON a.id = u.allocation_id
         WHERE u.status = 'settled' AND u.settled_at >= %(midnight)s
         GROUP BY u.api_key_id
    ),
    -- The daily limits of tokens of keys: a window whose period has ended counts as reset.
    daily AS (
        SELECT w.scope, w.committed,
               w.amount - CASE WHEN w.ends_at > %(now)s THEN 0 ELSE w.carried END AS amount,
               CASE WHEN w.ends_at > %(now)s THEN w.used ELSE 0 END AS used
          FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
         WHERE w.closed_at IS NULL AND w.unit = 'tokens' AND l.period = 'day'
           AND l.api_key_id IS NOT NULL
    ),
    -- What is frozen.
    frozen AS (
        SELECT scope FROM keys_freeze WHERE thawed_at IS NULL
    )
    SELECT k.provider_id AS provider, count(*) AS key_count,
           count(*) FILTER (WHERE (k.status = 'active' OR k.status = 'exhausted'
                                   OR k.status IN ('cooling', 'suspended')
                                      AND k.cooling_until <= %(now)s)
                               AND 'key:' || k.slug NOT IN (SELECT scope FROM frozen)
                               AND 'provider:' || k.provider_id NOT IN (SELECT scope FROM frozen)
                           ) AS lendable,
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


def provider_figures(
    *, agent: str | None = None, now: datetime
) -> tuple[Figures, dict[str, Figures]]:
    """The totals, and the figures of each provider that has keys; one query.

    The cost is that of `agent`, or of all agents without one.
    """
    rows = fetch(BY_PROVIDER, agent=agent, now=now, midnight=midnight(now))
    by_provider = {row.provider: _figures(row) for row in rows}
    return _total(list(by_provider.values())), by_provider


def _figures(row: ProviderRow) -> Figures:
    return Figures(
        count=row.key_count,
        lendable=row.lendable,
        unlimited=row.unlimited,
        capacity=row.capacity,
        used=row.used,
        committed=row.committed,
        remaining=row.remaining,
        cost_today=row.cost_today,
    )


def _total(parts: list[Figures]) -> Figures:
    return Figures(
        count=sum(part.count for part in parts),
        lendable=sum(part.lendable for part in parts),
        unlimited=sum(part.unlimited for part in parts),
        capacity=_sum_of_limited(part.capacity for part in parts),
        used=sum(part.used for part in parts),
        committed=sum(part.committed for part in parts),
        remaining=_sum_of_limited(part.remaining for part in parts),
        cost_today=sum((part.cost_today for part in parts), Decimal(0)),
    )


def _sum_of_limited(numbers: Iterable[int | None]) -> int | None:
    """The sum of the numbers that are not None; None without any."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
