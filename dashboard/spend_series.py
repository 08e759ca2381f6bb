"""Spend by day and group as the series of a chart."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from dashboard.charts import Series
from keys.books.queries.spend import SpendPeriod

# As many as there are colours; what is beyond is drawn as one.
SERIES_MAX = 8
_ZERO = Decimal(0)


def spend_series(
    periods: Iterable[SpendPeriod],
    days: Sequence[date],
    *,
    name: Callable[[str], str] = str,
    url: Callable[[str], str],
    others_url: str,
) -> list[Series]:
    """The cost of each group on each of `days`, the dearest first, and all beyond eight as one.

    Periods on other days are left out.
    """
    by_cost = _by_cost(periods, set(days))
    shown, others = by_cost[:SERIES_MAX], by_cost[SERIES_MAX:]
    slots = colour_slots(group for group, _ in shown)
    series = [
        Series(name(group), [costs.get(day, _ZERO) for day in days], slots[group], url(group))
        for group, costs in shown
    ]
    if others:
        rest = [sum((costs.get(day, _ZERO) for _, costs in others), _ZERO) for day in days]
        series.append(Series("Other", rest, url=others_url))
    return series


def colour_slots(groups: Iterable[str]) -> dict[str, int]:
    """The colour of each group: the same in every chart that shows these groups."""
    return {group: slot for slot, group in enumerate(sorted(groups))}


def _by_cost(
    periods: Iterable[SpendPeriod], days: set[date]
) -> list[tuple[str, Mapping[date, Decimal]]]:
    groups: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for period in periods:
        if period.starts in days and period.spend.cost:
            groups[period.group][period.starts] = period.spend.cost
    return sorted(groups.items(), key=lambda each: (-sum(each[1].values()), each[0]))
