"""Where the spend of a month or another period lands: the run rate with the shape of the week, and
a band.

Pure functions. A day is expected to cost the level of the last four weeks, or of the last one where
that has forecast better lately, times the weight of its weekday. Where weeks grow or fall by more
than chance, that goes on for a while. The band is of draws from what such expectations missed by in
the past four weeks, four of five of them: it is as wide as spend is irregular.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from keys.books.queries.pages import Meter
from keys.models import Period
from prediction.run_rate.draws import SHARES, draws
from prediction.run_rate.pace import Floats, days_alike, drawn_out
from prediction.run_rate.trend import Trend, ages, trend

# Complete days from the first spend on, before an expectation means something: two of each weekday.
DAYS_MIN = 14
# How far an expectation looks back: for the weight of a weekday, and for the level.
HISTORY_DAYS = 56
_LEVEL_DAYS, _WEEK_DAYS = 28, 7
# A level of one week is of a quarter of the days, so it has to be better by more than chance.
_CLEARLY_LESS = 0.8
# It is judged by the forecasts that it would have made on so many days, of so many days ahead.
_JUDGED_DAYS, _JUDGED_AHEAD = 10, 3
# A week with usage on fewer days has no level.
_USED_DAYS_MIN = 3
_DAY, _AN_INSTANT = timedelta(days=1), timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_ZERO, _ONE = Decimal(0), Decimal(1)
# How much of the interval of a trend is taken: of one that is followed, more, since it was chosen
# for being large; of one that may be chance, a part.
_FOLLOWED, _MAY_BE = 1.5, 0.7
# The 90th percentile of Student's law for the six degrees of freedom of eight weeks.
_STUDENT = 1.44
# In total there is no end, and an hour is over before its day has a shape.
NEVER_LANDS = (Period.TOTAL, Period.HOUR)


class Landing(NamedTuple):
    """What a month is expected to cost, from `low` to `high` four times in five.

    `rest`: what is still expected of today and of each later day of the month.
    """

    cost: Decimal
    low: Decimal
    high: Decimal
    rest: dict[date, Decimal]


def landing(
    spent: Mapping[date, Decimal],
    *,
    today: date,
    last_day: date,
    so_far: Decimal | None = None,
    parts: Mapping[date, Decimal] = MappingProxyType({}),
) -> Landing | None:
    """The landing of the month that ends with `last_day`; `spent` is the cost of each day with any.

    `so_far`: what is spent in another period that ends with `last_day`. Tokens land as costs do.
    `parts`: of days that are still to come in part only, the part; for today, what is left of it.
    None when there were fewer than `DAYS_MIN` complete days since the first with spend.
    """
    history = complete_days(spent, today)
    if len(history) < DAYS_MIN:
        return None
    ahead = (last_day - today).days + 1
    grows = trend(np.array([float(cost) for cost in history.values()]))
    aged = ages(len(history), ahead)
    factors = grows.factors(aged)
    if grows.growth:
        # What each day would have cost today.
        history = {
            day: cost / Decimal(factor)
            for (day, cost), factor in zip(history.items(), factors.tolist(), strict=False)
        }
    weights = _weights(history)
    by_weekday = [float(weight) for weight in weights]
    shape = np.array([by_weekday[day.weekday()] for day in history])
    costs = np.array([float(cost) for cost in history.values()])
    level_days = _LEVEL_DAYS if grows.growth else _better_level(costs, shape, ahead)
    level = _mean([*history.values()][-level_days:])
    to_come = _days(today, last_day + _DAY)
    rest = {
        day: level * weights[day.weekday()] * parts.get(day, _ONE) * factor
        for day, factor in zip(to_come, map(Decimal, factors[-ahead:].tolist()), strict=True)
    }
    if today not in parts:
        rest[today] = max(rest[today] - spent.get(today, _ZERO), _ZERO)
    if so_far is None:
        month = _days(today.replace(day=1), today + _DAY)
        so_far = sum((spent.get(day, _ZERO) for day in month), _ZERO)
    cost = so_far + sum(rest.values(), _ZERO)
    # The weights know the days that they are judged by: what is to come is missed by more.
    weeks = max(len(history) / 7, 2.0)
    less, more = _band(
        _misses(costs, shape, level_days) * ((weeks + 1) / (weeks - 1)) ** 0.5,
        np.array([parts.get(day, _ONE) for day in rest], float) * factors[-ahead:],
        level_days,
        _of_trend(grows, np.array([*rest.values()], float), aged[-ahead:] + (level_days + 1) / 2),
    )
    return Landing(cost, max(cost + less, so_far), cost + more, rest)


def landing_of_meter(
    meter: Meter, spent: Mapping[date, Decimal], *, zone: ZoneInfo, now: datetime
) -> Landing | None:
    """Where the limit of a meter lands, in its unit; `spent` is what was used on each day of the
    reporting zone. None for a limit in total or per hour, and with too little history.
    """
    if meter.period in NEVER_LANDS:
        return None
    last_day = (meter.resets_at - _AN_INSTANT).astimezone(zone).date()
    today = now.astimezone(zone).date()
    parts = _parts(meter, zone, today=today, last_day=last_day, now=now)
    found = landing(spent, today=today, last_day=last_day, so_far=meter.used, parts=parts)
    return found and _rounded(found, 9 if meter.unit == "usd" else 0)


def _parts(
    meter: Meter, zone: ZoneInfo, *, today: date, last_day: date, now: datetime
) -> dict[date, Decimal]:
    """The part of each day of the reporting zone that is still to come in the period, where that is
    not all of it.

    What comes today is expected to be what was not spent of an expected day; but in a period of one
    day the hours that are left decide, since at its end nothing more can come.
    """
    if meter.period == Period.DAY:
        return {day: _part(day, now, meter.resets_at, zone) for day in {today, last_day}}
    part = _part(last_day, now, meter.resets_at, zone)
    return {} if last_day == today or part == 1 else {last_day: part}


def _part(day: date, since: datetime, until: datetime, zone: ZoneInfo) -> Decimal:
    """Which part of the day of the zone is in `[since, until)`."""
    starts_at, ends_at = midnight(day, zone), midnight(day + _DAY, zone)
    inside = min(until, ends_at) - max(since, starts_at)
    return max(Decimal(inside // _SECOND) / ((ends_at - starts_at) // _SECOND), _ZERO)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day of the zone begins, in UTC: of two local times, the clocks would be subtracted."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _rounded(found: Landing, places: int) -> Landing:
    cost, low, high = (round(each, places) for each in (found.cost, found.low, found.high))
    return Landing(cost, low, high, found.rest)


def complete_days(spent: Mapping[date, Decimal], today: date) -> dict[date, Decimal]:
    """The cost of each complete day since the first with spend, days without spend included."""
    first = min((day for day, cost in spent.items() if cost), default=today)
    first = max(first, today - HISTORY_DAYS * _DAY)
    return {day: spent.get(day, _ZERO) for day in _days(first, today)}


def _weights(history: Mapping[date, Decimal]) -> list[Decimal]:
    """What a Monday, …, a Sunday costs of a mean day."""
    mean = _mean([*history.values()])
    if not mean:
        return [Decimal(1)] * 7
    of_weekdays: list[list[Decimal]] = [[] for _ in range(7)]
    for day, cost in history.items():
        of_weekdays[day.weekday()].append(cost)
    return [_mean(costs) / mean for costs in of_weekdays]


def _better_level(costs: Floats, shape: Floats, ahead: int) -> int:
    """How many of the last days the level is of: four weeks, or the last one where that would have
    missed the next three days of late by clearly less, as it does after a change.

    `shape`: the weight of each day.
    """
    ahead = min(ahead, _JUDGED_AHEAD)
    until = costs.size - ahead + 1
    origins = np.arange(max(DAYS_MIN, until - _JUDGED_DAYS), until)
    if np.count_nonzero(costs[-_WEEK_DAYS:]) < _USED_DAYS_MIN:
        return _LEVEL_DAYS
    cost, weight = (np.concatenate([[0.0], np.cumsum(each)]) for each in (costs, shape))
    came, expected = (each[origins + ahead] - each[origins] for each in (cost, weight))
    missed = [
        np.abs(came - (cost[origins] - cost[origins - days]) / days * expected).sum()
        for days in (np.minimum(origins, _LEVEL_DAYS), np.full_like(origins, _WEEK_DAYS))
    ]
    return _WEEK_DAYS if missed[1] < _CLEARLY_LESS * missed[0] else _LEVEL_DAYS


def _misses(costs: Floats, shape: Floats, level_days: int) -> Floats:
    """By how much the days of the last four weeks were missed: by the level of all of them, or of
    the week before each. Their mean is 0: a level is not known to be too low or too high."""
    if level_days == _LEVEL_DAYS:
        recent = costs[-_LEVEL_DAYS:]
        return np.asarray(recent - recent.mean() * shape[-_LEVEL_DAYS:])
    sums = np.concatenate([[0.0], np.cumsum(costs)])
    days = np.arange(max(costs.size - _LEVEL_DAYS, _WEEK_DAYS), costs.size)
    levels = (sums[days] - sums[days - _WEEK_DAYS]) / _WEEK_DAYS
    missed = costs[days] - levels * shape[days]
    return np.asarray(missed - missed.mean())


def _of_trend(grows: Trend, rest: Floats, days: Floats) -> float:
    """By how much the days ahead may cost more or less because the growth is known with an error;
    `days`: how far each of them is from the middle of the days that the level is of."""
    taken = _FOLLOWED if grows.growth else _MAY_BE
    return taken * _STUDENT * grows.error * float(rest @ days)


def _band(
    missed: Floats, ahead: Floats, level_days: int, of_trend: float
) -> tuple[Decimal, Decimal]:
    """By how much less and more the days ahead may cost, of which the parts `ahead` are to come:
    past misses are drawn for them, and for the level of so many days that all of them stand on.
    `of_trend`: by how much they may do so for another reason.

    Days that are like the one before them are fewer than they seem, and the ends of few are drawn
    out as Student's law has it.
    """
    alike = days_alike(missed)
    of_days = missed[draws(missed.size, ahead.size)] @ ahead
    level = draws(missed.size, min(level_days, missed.size), seed=1)
    of_level = missed[level].mean(axis=1) * ahead.sum()
    wider = alike**0.5 * drawn_out(missed.size / alike)
    low, _, high = np.quantile(of_days + of_level, SHARES) * wider
    less, more = np.hypot([min(float(low), 0.0), max(float(high), 0.0)], of_trend).tolist()
    return Decimal(-less), Decimal(more)


def _mean(costs: Sequence[Decimal]) -> Decimal:
    return sum(costs, _ZERO) / len(costs)


def _days(first: date, until: date) -> list[date]:
    return [first + number * _DAY for number in range((until - first).days)]
