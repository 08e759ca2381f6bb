"""Months of the books: where each begins and ends."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class MonthPeriod(NamedTuple):
    """A month in a zone: `[starts_at, ends_at)`, with `month` as its first day.

    It begins where the closed month before it ended, which after a change of the zone is some hours
    from its first midnight.
    """

    month: date
    zone: str
    starts_at: datetime
    ends_at: datetime

    @property
    def name(self) -> str:
        """The month in words, such as `October 2026`."""
        return f"{self.month:%B %Y}"

    @property
    def slug(self) -> str:
        """The month in addresses, such as `2026-10`."""
        return f"{self.month:%Y-%m}"

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return next_month(self.month) - _DAY


def month_period(month: date, zone: str, *, starts_at: datetime | None = None) -> MonthPeriod:
    """The period of a month in the zone, from its first midnight or from `starts_at`."""
    starts_at = starts_at or midnight(month, zone)
    return MonthPeriod(month, zone, starts_at, midnight(next_month(month), zone))


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + 31 * _DAY).replace(day=1)


def previous_month(month: date) -> date:
    """The first day of the month before."""
    return (month.replace(day=1) - _DAY).replace(day=1)


def fiscal_year_began(month: date, first_month: int) -> date:
    """The first day of the fiscal year that a month is in, if years begin with `first_month`."""
    return date(month.year - (month.month < first_month), first_month, 1)


def midnight(day: date, zone: str) -> datetime:
    """When the day begins in the zone, in UTC."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
