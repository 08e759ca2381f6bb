"""The chart of four weeks of spend on the page of an API key or an agent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard import charts, figures
from dashboard.charts import Chart, Period
from dashboard.ranges import DateRange, date_range
from dashboard.spend_series import spend_series
from keys.books.queries.spend import SpendFilter, spend_over_time

_DAY = timedelta(days=1)


def four_weeks(
    name: str,
    *,
    by: str,
    which: Callable[[DateRange], SpendFilter],
    url: Callable[[DateRange], str],
    zone: ZoneInfo,
    now: datetime,
) -> Chart | None:
    """The spend of each day by `agent` or `model`; None if nothing was spent. One query.

    `which` filters the usage of these days, `url` leads to the same in the spend explorer.
    """
    days = date_range({"range": "28d"}, now=now, zone=zone)
    periods = spend_over_time(which(days), step="day", zone=zone, by=by)
    if not periods:
        return None
    dates = [days.starts_on + number * _DAY for number in range(days.days)]
    total = sum(each.spend.cost for each in periods)
    return charts.bars(
        name=name,
        title=f"Spend by {by}, {days.label}: {figures.money(total).text}",
        periods=[
            Period(
                f"{day.day} {day:%b}",
                url(DateRange(day, day, zone)),
                is_running=day == days.ends_on,
            )
            for day in dates
        ],
        series=spend_series(
            periods,
            dates,
            kind=by,
            url=lambda group: f"{url(days)}&{by}={group}",
            others_url=url(days),
        ),
    )
