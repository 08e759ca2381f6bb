"""Spend by day and group as the series of a chart."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from dashboard.charts import Series
from dashboard.colours import colours_of
from keys.books.queries.spend import SpendPeriod
from reports.models.colours import COLOURS

# As many as there are colours; what is beyond is drawn as one.
SERIES_MAX = COLOURS
_ZERO = Decimal(0)


def spend_series(
    periods: Iterable[SpendPeriod],
    days: Sequence[date],
    *,
    kind: str,
    name: Callable[[str], str] = str,
    url: Callable[[str], str],
    others_url: str,
) -> list[Series]:
    """The cost of each group on each of `days`, the dearest first, and all beyond eight as one.

    `kind`: the dimension that the groups are of, for their colours. Periods on other days are left
    out.
    """
    by_cost = _by_cost(periods, set(days))
    shown, others = by_cost[:SERIES_MAX], by_cost[SERIES_MAX:]
    slots = colours_of(kind, [group for group, _ in shown])
    series = [
        Series(name(group), [costs.get(day, _ZERO) for day in days], slots[group], url(group))
        for group, costs in shown
    ]
    if others:
        rest = [sum((costs.get(day, _ZERO) for _, costs in others), _ZERO) for day in days]
        series.append(Series("Other", rest, url=others_url))
    return series


def _by_cost(
    periods: Iterable[SpendPeriod], days: set[date]
) -> list[tuple[str, Mapping[date, Decimal]]]:
    groups: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for period in periods:
        if period.starts in days and period.spend.cost:
            groups[period.group][period.starts] = period.spend.cost
    return sorted(groups.items(), key=lambda each: (-sum(each[1].values()), each[0]))
