"""When an hour, a day, … a fiscal year or all of time begins and ends in a zone of people, as
moments in UTC.

Days begin at `reset_hour`:00 on the clock on the wall; weeks, months, quarters and years begin at
that hour of their first day. A period begins at the *first* moment its wall clock reads that time
or later. Hence a time that the clock skips (a gap) begins right after the gap, a time that it shows
twice (a fold) begins at the first, and a day that a zone left out altogether has no period of its
own. Since such beginnings never go backwards in time, consecutive periods tile the line: no gap, no
overlap, no empty period.

Hours are different: one that the clock shows twice is two periods, so that each is an hour long.
They begin when the clock reads a full hour. Where it is set by a part of an hour (half an hour on
Lord Howe), the running hour ends, and the rest until the next full hour is a period.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

PERIODS = ("hour", "day", "week", "month", "quarter", "year", "total")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Calendar(NamedTuple):
    """When weeks begin (0 is Monday, 6 is Sunday), and the first month of the fiscal year."""

    week_starts: int = 0
    fiscal_year_starts: int = 1


def bounds(
    *, period: str, at: datetime, zone: str, reset_hour: int, calendar: Calendar | None = None
) -> tuple[datetime, datetime]:
    """Return `(starts_at, ends_at)` in UTC of the `period` that contains the moment `at`.

    `starts_at <= at < ends_at`. "total" is everything from EPOCH to FOREVER. An hour has no use for
    the reset hour. `calendar` counts for weeks, quarters and years. ValueError for an unknown
    period, zone or hour, and for a moment that is naive or outside EPOCH to FOREVER.
    """
    tz = check_zone(zone)
    check_reset_hour(reset_hour)
    _check_moment(at)
    if period == "total":
        return EPOCH, FOREVER
    if period == "hour":
        return _hour_containing(at, tz)
    wall = at.astimezone(tz).replace(tzinfo=None) - timedelta(hours=reset_hour)
    # Not `or`: the calendar may be lazy, and days and months have no use for it.
    calendar = Calendar() if calendar is None else calendar
    first_day, following = _days(period, wall.date(), calendar)
    return _period_containing(at, first_day, following, tz, reset_hour)


def count(
    *,
    period: str,
    since: datetime,
    until: datetime,
    most: int,
    zone: str,
    reset_hour: int,
    calendar: Calendar | None = None,
) -> int:
    """How many periods there are between two moments at which one begins; `most`, if there are
    more. Refuses what `bounds` refuses."""
    found, at = 0, since
    while at < until and found < most:
        _, at = bounds(period=period, at=at, zone=zone, reset_hour=reset_hour, calendar=calendar)
        found += 1
    return found


def phrase(period: str) -> str:
    """`an hour`, `a day`, …, `in total`."""
    if period == "total":
        return "in total"
    return f"an {period}" if period == "hour" else f"a {period}"


@lru_cache(maxsize=1024)
def check_zone(zone: str) -> ZoneInfo:
    """Return the IANA zone, or raise ValueError with a sentence that says what to write."""
    if zone not in _zone_names():
        raise ValueError(
            f"The time zone {zone!r} is unknown. Use an IANA name such as UTC or Europe/Berlin."
        )
    return ZoneInfo(zone)


def check_reset_hour(reset_hour: int) -> None:
    """Raise ValueError unless `reset_hour` is a full hour of the day."""
    if not isinstance(reset_hour, int) or not 0 <= reset_hour <= 23:
        raise ValueError(f"Use a full hour from 0 to 23 as the reset hour, not {reset_hour!r}.")


def _check_moment(at: datetime) -> None:
    if at.tzinfo is None or not EPOCH <= at < FOREVER:
        raise ValueError(f"Use a moment with a time zone and a year from 1970 to 9998, not {at}.")


@cache
def _zone_names() -> frozenset[str]:
    """The names of all zones: `ZoneInfo` itself would also open a file that a name points to."""
    return frozenset(available_timezones())


def _days(period: str, day: date, calendar: Calendar) -> tuple[date, Callable[[date], date]]:
    """The first day of the period that `day` is in, and how to come to that of the next one."""
    if period == "day":
        return day, lambda first: first + _DAY
    if period == "week":
        return day - (day.weekday() - calendar.week_starts) % 7 * _DAY, lambda first: first + _WEEK
    if period not in _MONTHS:
        raise ValueError(f"The period {period!r} is unknown. Use one of {', '.join(PERIODS)}.")
    months = _MONTHS[period]
    begun = (day.month - calendar.fiscal_year_starts) % months if months > 1 else 0
    return _month_after(day.replace(day=1), -begun), lambda first: _month_after(first, months)


def _month_after(first: date, months: int) -> date:
    """The first day of the month so many months later; the last day of all if there is none."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1) if year <= date.max.year else date.max


def _hour_containing(at: datetime, tz: ZoneInfo) -> tuple[datetime, datetime]:
    part = _part_of_hour(at, tz)
    starts_at = at.astimezone(UTC) - (at.astimezone(UTC) - EPOCH + part) % _HOUR
    ends_at = starts_at + _HOUR
    if _part_of_hour(starts_at, tz) != part:
        starts_at = _change_of_part(starts_at, at, tz)
    if _part_of_hour(ends_at - _SECOND, tz) != part:
        ends_at = _change_of_part(at, ends_at - _SECOND, tz)
    return starts_at, ends_at


def _part_of_hour(at: datetime, tz: ZoneInfo) -> timedelta:
    """How much the clock is ahead of UTC beside full hours."""
    return (at.astimezone(tz).utcoffset() or timedelta()) % _HOUR


def _change_of_part(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The moment from which the clock is ahead as at `after`; it changes at full seconds."""
    before, after = (each.astimezone(UTC).replace(microsecond=0) for each in (before, after))
    part = _part_of_hour(after, tz)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _part_of_hour(middle, tz) == part:
            after = middle
        else:
            before = middle
    return after


def _period_containing(
    at: datetime, day: date, following: Callable[[date], date], tz: ZoneInfo, hour: int
) -> tuple[datetime, datetime]:
    """Walk from `day`, begun at or before `at`, to the period that `at` is in."""
    starts_at, day = _begin(day, tz, hour), following(day)
    # More than one step only where the clock went back past the reset hour: `at` reads as the day
    # before, but the new day has begun.
    while (ends_at := _begin(day, tz, hour)) <= at:
        starts_at, day = ends_at, following(day)
    return starts_at, ends_at


@lru_cache(maxsize=8192)  # fleets ask for the same few midnights again and again
def _begin(day: date, tz: ZoneInfo, hour: int) -> datetime:
    """Return the first moment when the wall clock reads `day`, `hour` or later, in UTC."""
    wall = datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 (a wall clock has no zone)
    moment = wall.replace(tzinfo=tz).astimezone(UTC)  # fold=0: the first of two
    if moment.astimezone(tz).replace(tzinfo=None) == wall:
        return moment
    return _end_of_gap(wall, tz)


def _end_of_gap(wall: datetime, tz: ZoneInfo) -> datetime:
    """Return the moment the clock jumped over `wall`: zoneinfo does not tell, so bisect for it."""
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)  # with the offset after the gap
    after = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)  # with the offset before the gap
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(tz).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after
