"""When limits are used up at this pace, and between which moments."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from keys.books.queries.pages import Meter
from prediction.run_rate.pace import DAYS_AHEAD, SHARE_OF_DAY_MIN, Floats, Outlook, Pace

# Later than that, nobody should rely on a pace.
_AHEAD_MAX = timedelta(days=366)
_HOUR = timedelta(hours=1)
_WEEK_HOURS = 168
# A longer period follows the forecaster that is better for longer.
_DAY_MAX = timedelta(hours=25)


class Burn(NamedTuple):
    """What was used in an hour, at the pace of the last one."""

    tokens: Decimal = Decimal(0)
    usd: Decimal = Decimal(0)

    def of(self, unit: str) -> Decimal:
        """In the unit of a limit."""
        return self.tokens if unit == "tokens" else self.usd


class LearnedPace(NamedTuple):
    """A pace, with the day in `zone` on which it was learned."""

    pace: Pace
    day: date
    zone: ZoneInfo


class RunsOut(NamedTuple):
    """When something is used up: at `at`, four times in five from `earliest` to `latest`.

    Without an interval `earliest` is None. `latest` is None if it may also last.
    """

    at: datetime
    earliest: datetime | None = None
    latest: datetime | None = None

    @property
    def is_sure(self) -> bool:
        """Whether it is used up nine times in ten."""
        return self.latest is not None


class Ahead(NamedTuple):
    """What is used until each hour ahead: expected, and at the ends of the interval."""

    mid: Floats
    low: Floats
    high: Floats


def exhausted_at(meters: Iterable[Meter], burn: Burn, *, now: datetime) -> datetime | None:
    """When the first of the limits is used up at the pace of the last hour; None if all of them
    reset before."""
    found = first_out(meters, burn, {}, now=now)
    return found and found.at


def first_out(
    meters: Iterable[Meter], burn: Burn, paces: Mapping[str, LearnedPace], *, now: datetime
) -> RunsOut | None:
    """When the first of the limits is used up, by the pace of its unit; None if all of them reset
    before."""
    found = (
        runs_out(meter, burn.of(meter.unit), paces.get(meter.unit), now=now) for meter in meters
    )
    return min((each for each in found if each), default=None, key=lambda each: each.at)


def runs_out(
    meter: Meter, last_hour: Decimal | None, learned: LearnedPace | None, *, now: datetime
) -> RunsOut | None:
    """When a limit is used up; None if it resets before. Without a learned pace, at that of the
    last hour. `last_hour`: None is that of when the pace was learned."""
    until = min(meter.resets_at, now + _AHEAD_MAX)
    if learned is None:
        return _at_pace(meter.free, last_hour or Decimal(0), now=now, until=until)
    seen = None if last_hour is None else float(last_hour)
    return lasts(meter.free, learned, last_hour=seen, now=now, until=until)


def _at_pace(free: Decimal, pace: Decimal, *, now: datetime, until: datetime) -> RunsOut | None:
    if pace <= 0 or (hours := free / pace) >= _AHEAD_MAX // _HOUR:
        return None
    at = now + timedelta(hours=float(hours))
    return RunsOut(at) if at < until else None


def lasts(
    amount: Decimal,
    learned: LearnedPace,
    *,
    last_hour: float | None = None,
    now: datetime,
    until: datetime,
) -> RunsOut | None:
    """When an amount is used up at a learned pace; None if not before `until`. `last_hour`: None is
    that of when the pace was learned."""
    left = until - now
    if left <= timedelta(0):
        return None
    hours = np.append(np.arange(0.0, left / _HOUR), left / _HOUR)
    ahead = used_ahead(learned, hours, last_hour=last_hour, now=now)
    at, earliest, latest = (
        _crossed(hours, each, float(amount)) for each in (ahead.mid, ahead.high, ahead.low)
    )
    if at is None:
        return None
    moments = (None if each is None else now + timedelta(hours=each) for each in (earliest, latest))
    return RunsOut(now + timedelta(hours=at), *moments)


def used_ahead(
    learned: LearnedPace, hours: Floats, *, last_hour: float | None = None, now: datetime
) -> Ahead:
    """What is expected to be used until each of the `hours` ahead, and between which amounts."""
    pace = learned.pace
    outlook = pace.day if hours[-1] <= _DAY_MAX / _HOUR else pace.long
    if outlook.method == "last_hour":
        expected = hours * (pace.last_hour if last_hour is None else last_hour)
    else:
        expected = _by_class(learned, hours, now)
    return Ahead(
        *(_shifted(expected, hours, outlook, pace, each) for each in ("mid", "low", "high"))
    )


def _by_class(learned: LearnedPace, hours: Floats, now: datetime) -> Floats:
    """The expected hours of a week, from now on, summed up."""
    clock = now.astimezone(learned.zone)
    days = (clock.date() - learned.day).days
    start = days * 24 + clock.hour + clock.minute / 60 + clock.second / 3600
    total = np.concatenate([[0.0], np.cumsum(learned.pace.week)])

    def until(places: Floats) -> Floats:
        weeks, rest = np.divmod(places, _WEEK_HOURS)
        return np.asarray(weeks * total[-1] + np.interp(rest, np.arange(total.size), total))

    return until(hours + start) - until(np.array([float(start)]))


def _shifted(expected: Floats, hours: Floats, outlook: Outlook, pace: Pace, end: str) -> Floats:
    """What is expected with an end of the interval; what is used never becomes less."""
    days = hours / 24
    shares = np.interp(days, DAYS_AHEAD, getattr(outlook, end))
    size = np.maximum(expected, SHARE_OF_DAY_MIN * pace.usual_day * days)
    return np.maximum.accumulate(np.maximum(expected + shares * size, 0))


def _crossed(hours: Floats, used: Floats, amount: float) -> float | None:
    """After how many hours the amount is used; None if not within them."""
    if used[-1] <= amount:
        return None
    place = int(np.searchsorted(used, amount, side="left"))
    if place == 0:
        return 0.0
    before, after = used[place - 1], used[place]
    part = (amount - before) / (after - before)
    return float(hours[place - 1] + part * (hours[place] - hours[place - 1]))
