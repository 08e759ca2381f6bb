"""Where the spend of a month lands: the run rate with the shape of the week, and a band.

Pure functions. A day is expected to cost the level of the last four weeks times the weight of its
weekday. The band covers what such expectations missed by in the past four weeks, four times in
five: it is as wide as spend is irregular.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from keys.books.queries.pages import Meter

# Complete days from the first spend on, before an expectation means something: two of each weekday.
DAYS_MIN = 14
# How far an expectation looks back: for the weight of a weekday, and for the level.
HISTORY_DAYS = 56
_LEVEL_DAYS = 28
# Of a normal distribution, 80 % lie within so many standard deviations.
_DEVIATIONS = Decimal("1.2816")
_DAY, _AN_INSTANT = timedelta(days=1), timedelta(microseconds=1)
_ZERO = Decimal(0)
# In total there is no end, and an hour is over before its day has a shape.
NEVER_LANDS = ("total", "hour")


class Landing(NamedTuple):
    """What a month is expected to cost, from `low` to `high` four times in five.

    `rest`: what is still expected of today and of each later day of the month.
    """

    cost: Decimal
    low: Decimal
    high: Decimal
    rest: dict[date, Decimal]


def landing(
    spent: Mapping[date, Decimal], *, today: date, last_day: date, so_far: Decimal | None = None
) -> Landing | None:
    """The landing of the month that ends with `last_day`; `spent` is the cost of each day with any.

    `so_far`: what is spent in another period that ends with `last_day`. Tokens land as costs do.
    None when there were fewer than `DAYS_MIN` complete days since the first with spend.
    """
    history = complete_days(spent, today)
    if len(history) < DAYS_MIN:
        return None
    weights, recent = _weights(history), list(history.items())[-_LEVEL_DAYS:]
    level = _mean([cost for _, cost in recent])
    rest = {day: level * weights[day.weekday()] for day in _days(today, last_day + _DAY)}
    rest[today] = max(rest[today] - spent.get(today, _ZERO), _ZERO)
    if so_far is None:
        month = _days(today.replace(day=1), today + _DAY)
        so_far = sum((spent.get(day, _ZERO) for day in month), _ZERO)
    cost = so_far + sum(rest.values(), _ZERO)
    misses = [cost - level * weights[day.weekday()] for day, cost in recent]
    margin = _DEVIATIONS * _deviation(misses, days=len(rest))
    return Landing(cost, max(cost - margin, so_far), cost + margin, rest)


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
    found = landing(spent, today=today, last_day=last_day, so_far=meter.used)
    return found and _rounded(found, 9 if meter.unit == "usd" else 0)


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


def _deviation(misses: Sequence[Decimal], *, days: int) -> Decimal:
    """The standard deviation of the sum of `days` days, and of the level that it stands on."""
    variance = sum((miss * miss for miss in misses), _ZERO) / (len(misses) - 1)
    return (variance * days * (1 + Decimal(days) / len(misses))).sqrt()


def _mean(costs: Sequence[Decimal]) -> Decimal:
    return sum(costs, _ZERO) / len(costs)


def _days(first: date, until: date) -> list[date]:
    return [first + number * _DAY for number in range((until - first).days)]
