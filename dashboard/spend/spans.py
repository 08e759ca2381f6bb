"""The columns of the chart of the spend explorer: hours of one day, days, or months."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from dashboard.charts import Period
from dashboard.ranges import DateRange
from dashboard.spend.query import SpendQuery
from keys.books.queries.spend import Step

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Span(NamedTuple):
    """A column: when it starts, as `spend_over_time` says it, and what the chart shows of it."""

    starts: date
    period: Period


def step_of(days: DateRange) -> Step:
    """The length of the columns: one day is shown by the hour, a long range by month."""
    if days.days == 1:
        return "hour"
    return "month" if days.is_by_month else "day"


def spans_of(view: SpendQuery, *, now: datetime) -> list[Span]:
    """The columns of the view's range. Days and months lead to their spend, hours to charges."""
    spans = {"hour": _hours, "day": _days, "month": _months}
    return list(spans[step_of(view.days)](view, now))


def _hours(view: SpendQuery, now: datetime) -> Iterator[Span]:
    at, zone = view.days.starts_at, view.days.zone
    while at < view.days.ends_at:
        ends = min(at + _HOUR, view.days.ends_at)
        period = Period(f"{at.astimezone(zone):%H:%M}", view.hour_url(at, ends), at <= now < ends)
        yield Span(at, period)
        at = ends


def _days(view: SpendQuery, now: datetime) -> Iterator[Span]:
    today = now.astimezone(view.days.zone).date()
    for number in range(view.days.days):
        day = view.days.starts_on + number * _DAY
        url = replace(view, days=DateRange(day, day, view.days.zone)).url
        yield Span(day, Period(f"{day.day} {day:%b}", url, day == today))


def _months(view: SpendQuery, now: datetime) -> Iterator[Span]:
    today = now.astimezone(view.days.zone).date()
    first = view.days.starts_on
    while first <= view.days.ends_on:
        following = (first.replace(day=1) + 31 * _DAY).replace(day=1)
        last = min(following - _DAY, view.days.ends_on)
        url = replace(view, days=DateRange(first, last, view.days.zone)).url
        yield Span(first.replace(day=1), Period(f"{first:%b %Y}", url, first <= today <= last))
        first = following
