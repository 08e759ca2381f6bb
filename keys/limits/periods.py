"""When a day, a month or all of time begins and ends in a zone of people, as moments in UTC.

Days begin at `reset_hour`:00 on the clock on the wall, months on the 1st at that hour. A period
begins at the *first* moment its wall clock reads that time or later. Hence a time that the clock
skips (a gap) begins right after the gap, a time that it shows twice (a fold) begins at the first,
and a day that a zone left out altogether has no period of its own. Since such beginnings never go
backwards in time, consecutive periods tile the line: no gap, no overlap, no empty period.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

PERIODS = ("day", "month", "total")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def bounds(*, period: str, at: datetime, zone: str, reset_hour: int) -> tuple[datetime, datetime]:
    """Return `(starts_at, ends_at)` in UTC of the `period` that contains the moment `at`.

    `starts_at <= at < ends_at`. "total" is everything from EPOCH to FOREVER. ValueError for an
    unknown period, zone or hour, and for a moment that is naive or outside EPOCH to FOREVER.
    """
    tz = check_zone(zone)
    check_reset_hour(reset_hour)
    _check_moment(at)
    if period == "total":
        return EPOCH, FOREVER
    wall = at.astimezone(tz).replace(tzinfo=None) - timedelta(hours=reset_hour)
    if period == "day":
        return _period_containing(at, wall.date(), _next_day, tz, reset_hour)
    if period == "month":
        return _period_containing(at, wall.date().replace(day=1), _next_month, tz, reset_hour)
    raise ValueError(f"The period {period!r} is unknown. Use one of {', '.join(PERIODS)}.")


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


def _next_day(day: date) -> date:
    return day + _DAY


def _next_month(day: date) -> date:
    return day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)


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
