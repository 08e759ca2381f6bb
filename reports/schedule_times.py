"""When a scheduled report is sent: at an hour of a zone, each day, week or month."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


def next_time(
    frequency: str, on_day: int | None, hour: int, *, zone: ZoneInfo, after: datetime
) -> datetime:
    """The first moment later than `after`, in UTC.

    `on_day`: of `weekly` 0 (Monday) to 6, of `monthly` 1 to 28. An hour that the clock skips is the
    one after it; one that comes twice counts the first time.
    """
    day = after.astimezone(zone).date() - _DAY
    while (moment := _moment(day, hour, zone)) <= after or not _is_day(frequency, on_day, day):
        day += _DAY
    return moment


def latest_time(
    frequency: str, on_day: int | None, hour: int, *, zone: ZoneInfo, since: datetime, now: datetime
) -> datetime:
    """The last moment until `now`, of `since` and those that follow: what was missed before it is
    not made up for."""
    latest = since
    while (following := next_time(frequency, on_day, hour, zone=zone, after=latest)) <= now:
        latest = following
    return latest


def _moment(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)


def _is_day(frequency: str, on_day: int | None, day: date) -> bool:
    if frequency == "weekly":
        return day.weekday() == on_day
    return frequency == "daily" or day.day == on_day
