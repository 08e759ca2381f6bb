"""Spikes, slow creep and changed prices: usage by hour and by day against the weeks before."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Hours that a spike is looked for in: four weeks before the last two, and an hour on either side.
SPIKE_HOURS = 4 * 168 + 3
# Days that creep is looked for in: three weeks that may creep, a week apart from four before.
CREEP_DAYS = 56
_WEEK_HOURS, _WEEKS = 168, 4
# Of the median deviation, to compare with a standard deviation.
_NORMAL = 1.4826
_SCORE_MIN = 6.0
# Usage that is nearly the same at the same hours differs by this share of it all the same.
_SPREAD_MIN = 0.25
# One hour alone is a spike if it is so many times the usual.
_ALONE = 20.0
# A spike is above all that was seen in four weeks.
_ABOVE_ALL = 1.25
# Cumulative sum of daily deviations, in standard deviations: the slack and the bound.
_SLACK, _BOUND, _STEP_MAX = 0.5, 5.0, 3.0
_CREEP_RUN, _CREEP_LAG, _CREEP_BASE = 21, 7, 28
_CREEP_MIN = 1.3
_SHIFT_MIN = 0.25
_SHIFT_DAYS = 28
_SHIFT_DAYS_MIN = 10


class Unusual(NamedTuple):
    """What is, what is usual, and for how many hours or days it has been so."""

    seen: float
    usual: float
    length: int


def spike(hours: Floats, *, least: float) -> Unusual | None:
    """Whether the last of the hours (SPIKE_HOURS of them) is a spike of at least `least`: two hours
    in a row far above the same hours of the week, or one that is 20 times as much."""
    last, before = hours.size - 1, hours.size - 2
    known = hours[:before]
    if np.count_nonzero(known) < _WEEK_HOURS // 7 or not _reaches_back(known):
        return None
    most = float(known.max())
    if not _is_high(hours, last, most, least):
        return None
    usual = _usual_hour(hours, last)
    if _is_high(hours, before, most, least):
        return Unusual(float(hours[last]), usual, 2)
    alone = hours[last] > _ALONE * max(usual, float(known.mean()))
    return Unusual(float(hours[last]), usual, 1) if alone else None


def _reaches_back(hours: Floats) -> bool:
    """Whether there was usage two weeks ago: one week is no habit."""
    return bool(hours[: -2 * _WEEK_HOURS].any())


def _is_high(hours: Floats, at: int, most: float, least: float) -> bool:
    if hours[at] < least or hours[at] <= _ABOVE_ALL * most:
        return False
    same = _same_hours(hours, at)
    middle = float(np.median(same))
    spread = _NORMAL * float(np.median(np.abs(same - middle)))
    least_spread = _SPREAD_MIN * max(float(same.mean()), float(hours[: hours.size - 2].mean()))
    return float(hours[at]) - middle > _SCORE_MIN * max(spread, least_spread)


def _usual_hour(hours: Floats, at: int) -> float:
    return float(np.median(_same_hours(hours, at)))


def _same_hours(hours: Floats, at: int) -> Floats:
    """The same hour of the week, with one on either side, in four weeks."""
    places = [
        at - week * _WEEK_HOURS + side for week in range(1, _WEEKS + 1) for side in (-1, 0, 1)
    ]
    return hours[[place for place in places if place >= 0]]


def creep(days: Floats, weekend: NDArray[np.bool_], *, least: float) -> Unusual | None:
    """Whether the last of the days (CREEP_DAYS, complete ones) are slowly above the usual ones, by
    at least `least` a day: a cumulative sum of the logarithm of each day's ratio to the median of
    four weeks that end a week before, in its standard deviations. Workdays and weekends apart."""
    first = days.size - _CREEP_RUN
    if first < _CREEP_LAG + _CREEP_BASE or not days[:_CREEP_BASE].any():
        return None
    ratios = np.array([_log_ratio(days, weekend, day) for day in range(first - 14, days.size)])
    before = ratios[:14]
    spread = max(_NORMAL * float(np.median(np.abs(before - np.median(before)))), 0.1)
    steps = np.clip(ratios[14:] / spread, -_STEP_MAX, _STEP_MAX)
    total, length = 0.0, 0
    for step in steps:
        total = max(total + step - _SLACK, 0.0)
        length = length + 1 if total else 0
    if total <= _BOUND or not length:
        return None
    run = range(days.size - length, days.size)
    seen = float(days[list(run)].mean())
    usual = float(np.mean([_usual_day(days, weekend, day) for day in run]))
    if seen < _CREEP_MIN * usual or seen - usual < least:
        return None
    return Unusual(seen, usual, length)


def _log_ratio(days: Floats, weekend: NDArray[np.bool_], day: int) -> float:
    floor = 0.05 * float(days.mean()) or 1.0
    return float(np.log((days[day] + floor) / (_usual_day(days, weekend, day) + floor)))


def _usual_day(days: Floats, weekend: NDArray[np.bool_], day: int) -> float:
    until = day - _CREEP_LAG
    base = slice(max(until - _CREEP_BASE, 0), until)
    same = days[base][weekend[base] == weekend[day]]
    return float(np.median(same)) if same.size else 0.0


def shift(days: Floats) -> Unusual | None:
    """Whether the last two days differ from those before by more than a quarter and by far more
    than days do; NaN where too few calls were made. For prices and tokens per call."""
    before = days[-_SHIFT_DAYS - 2 : -2]
    known = before[~np.isnan(before)]
    now = days[-2:]
    if known.size < _SHIFT_DAYS_MIN or np.isnan(now).any() or (known <= 0).any():
        return None
    logs = np.log(known)
    middle = float(np.median(logs))
    spread = max(_NORMAL * float(np.median(np.abs(logs - middle))), 0.02)
    moved = np.log(np.maximum(now, 1e-12)) - middle
    together = moved.min() > 0 or moved.max() < 0
    if not together or np.abs(moved).min() < max(np.log1p(_SHIFT_MIN), _SCORE_MIN * spread):
        return None
    return Unusual(float(now.mean()), float(np.exp(middle)), 2)
