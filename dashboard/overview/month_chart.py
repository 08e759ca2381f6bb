"""The chart of the month: bars by day, what is still expected lighter, and the budget of a day."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from dashboard import charts, figures
from dashboard.charts import Chart, Period, Series
from dashboard.overview.month import Month
from dashboard.overview.spend_links import spend_url
from dashboard.ranges import DateRange

# By what the bars are stacked: the group of the query, and how the title calls it.
STACKS = {
    "cost_centre": ("centre_at", "cost centre"),
    "provider": ("provider", "provider"),
    "model": ("model", "model"),
}
_SERIES_MAX = 7
_DAY, _ZERO = timedelta(days=1), Decimal(0)
_Costs = Mapping[date, Decimal]


def month_chart(month: Month, *, stack: str) -> Chart:
    """Bars of each day of the month, stacked by one of `STACKS`, the dearest groups first."""
    length = (month.last_day - month.days.starts_on).days + 1
    days = [month.days.starts_on + number * _DAY for number in range(length)]
    series = _series(month, days, stack)
    if month.landing:
        expected = [month.landing.rest.get(day, _ZERO) for day in days]
        series.append(Series("Expected", expected, is_expected=True))
    budget = month.payers.budget
    return charts.bars(
        name="month",
        title=f"Spend by {STACKS[stack][1]}, {month.days.label}: "
        f"{figures.money(month.spend.cost).text}",
        periods=[_period(month, day) for day in days],
        series=series,
        line=None if budget is None else budget / length,
    )


def _period(month: Month, day: date) -> Period:
    url = "" if day > month.days.ends_on else spend_url(DateRange(day, day, month.days.zone))
    return Period(f"{day.day} {day:%b}", url, is_running=day == month.days.ends_on)


def _series(month: Month, days: list[date], stack: str) -> list[Series]:
    by_cost = _by_cost(month)
    shown, others = by_cost[:_SERIES_MAX], by_cost[_SERIES_MAX:]
    # A colour stays with its group when the order of costs changes.
    slots = {group: slot for slot, (group, _) in enumerate(sorted(shown, key=lambda each: each[0]))}
    series = [
        Series(
            _name(month, stack, group),
            [costs.get(day, _ZERO) for day in days],
            slots[group],
            spend_url(month.days, by=stack, **{stack: group}),
        )
        for group, costs in shown
    ]
    if others:
        rest = [sum((costs.get(day, _ZERO) for _, costs in others), _ZERO) for day in days]
        series.append(Series("Other", rest, url=spend_url(month.days, by=stack)))
    return series


def _by_cost(month: Month) -> list[tuple[str, _Costs]]:
    """The costs of each group of the month by day, the dearest group first."""
    groups: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for period in month.periods:
        if period.starts >= month.days.starts_on and period.spend.cost:
            groups[period.group][period.starts] = period.spend.cost
    return sorted(groups.items(), key=lambda each: (-sum(each[1].values()), each[0]))


def _name(month: Month, stack: str, group: str) -> str:
    """A cost centre with others below it is shown with what it paid itself."""
    return f"{group} directly" if stack == "cost_centre" and [group] == month.payers.tops else group
