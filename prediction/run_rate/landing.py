"""Where the spend of a month or another period lands: the run rate with the shape of the week, and
a band.

Pure functions. A day is expected to cost the level of the last four weeks times the weight of its
weekday. The band is of draws from what such expectations missed by in the past four weeks, four of
five of them: it is as wide as spend is irregular.
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
from prediction.run_rate.pace import Floats

# Complete days from the first spend on, before an expectation means something: two of each weekday.
DAYS_MIN = 14
# How far an expectation looks back: for the weight of a weekday, and for the level.
HISTORY_DAYS = 56
_LEVEL_DAYS = 28
_DAY, _AN_INSTANT = timedelta(days=1), timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_ZERO, _ONE = Decimal(0), Decimal(1)
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
    weights, recent = _weights(history), list(history.items())[-_LEVEL_DAYS:]
    level = _mean([cost for _, cost in recent])
    rest = {
        day: level * weights[day.weekday()] * parts.get(day, _ONE)
        for day in _days(today, last_day + _DAY)
    }
    if today not in parts:
        rest[today] = max(rest[today] - spent.get(today, _ZERO), _ZERO)
    if so_far is None:
        month = _days(today.replace(day=1), today + _DAY)
        so_far = sum((spent.get(day, _ZERO) for day in month), _ZERO)
    cost = so_far + sum(rest.values(), _ZERO)
    misses = [cost - level * weights[day.weekday()] for day, cost in recent]
    # The weights know the days that they are judged by: what is to come is missed by more.
    weeks = max(len(history) / 7, 2.0)
    less, more = _band(
        np.array(misses, float) * ((weeks + 1) / (weeks - 1)) ** 0.5,
        np.array([parts.get(day, _ONE) for day in rest], float),
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
    return [
        _mean([cost for day, cost in history.items() if day.weekday() == weekday]) / mean
        for weekday in range(7)
    ]


def _band(missed: Floats, ahead: Floats) -> tuple[Decimal, Decimal]:
    """By how much less and more the days ahead may cost, of which the parts `ahead` are to come:
    past misses are drawn for them, and for the level that all of them stand on."""
    of_days = missed[draws(missed.size, ahead.size)] @ ahead
    of_level = missed[draws(missed.size, missed.size, seed=1)].mean(axis=1) * ahead.sum()
    low, _, high = np.quantile(of_days + of_level, SHARES)
    return Decimal(min(float(low), 0.0)), Decimal(max(float(high), 0.0))


def _mean(costs: Sequence[Decimal]) -> Decimal:
    return sum(costs, _ZERO) / len(costs)


def _days(first: date, until: date) -> list[date]:
    return [first + number * _DAY for number in range((until - first).days)]
