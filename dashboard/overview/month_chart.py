"""The chart of the month: bars by day, what is still expected lighter, and the budget of a day."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from dashboard import charts, figures
from dashboard.charts import Chart, Period, Series
from dashboard.note_marks import with_notes
from dashboard.overview.month import Month
from dashboard.overview.spend_links import day_range, spend_url
from dashboard.spend_series import spend_series
from reports.models import DateNote

# By what the bars are stacked: the group of the query, and how the title calls it.
STACKS = {
    "cost_centre": ("centre_at", "cost centre"),
    "provider": ("provider", "provider"),
    "model": ("model", "model"),
}
_DAY, _ZERO = timedelta(days=1), Decimal(0)


def month_chart(month: Month, *, stack: str, notes: Sequence[DateNote]) -> Chart:
    """Bars of each day of the month, stacked by one of `STACKS`, the dearest groups first."""
    length = month.last_day.day
    days = [month.days.starts_on + number * _DAY for number in range(length)]
    series = spend_series(
        month.periods,
        days,
        kind=stack,
        name=lambda group: _name(month, stack, group),
        url=lambda group: spend_url(month.days, by=stack, **{stack: group}),
        others_url=spend_url(month.days, by=stack),
    )
    if month.landing:
        expected = [month.landing.rest.get(day, _ZERO) for day in days]
        series.append(Series("Expected", expected, is_expected=True))
    budget = month.payers.budget
    return charts.bars(
        name="month",
        title=f"Spend by {STACKS[stack][1]}, {month.days.label}: "
        f"{figures.money(month.spend.cost).text}",
        periods=with_notes([_period(month, day) for day in days], days, notes),
        series=series,
        line=None if budget is None else budget / length,
    )


def _period(month: Month, day: date) -> Period:
    url = "" if day > month.days.ends_on else spend_url(day_range(day, month.days.zone))
    return Period(f"{day.day} {day:%b}", url, is_running=day == month.days.ends_on)


def _name(month: Month, stack: str, group: str) -> str:
    """A cost centre with others below it is shown with what it paid itself."""
    return f"{group} directly" if stack == "cost_centre" and [group] == month.payers.tops else group
