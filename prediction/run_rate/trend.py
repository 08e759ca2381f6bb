"""Whether usage grows or falls from week to week, and how sure that is.

Weeks, not days: a week has each weekday once, and hardly ever costs nothing.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from prediction.run_rate.pace import Floats

_DAYS = 7
_WEEKS_MIN = 6
# Growth that is within its own error counts as none, and what is beyond counts in part.
_ERRORS = 1.0
# Where one step says more than so, it is a step.
_STEP_SAYS = 2.0
# A step has so many days before and after it.
_STEP_DAYS = 4
# Of the next day so much of the growth goes on, and of each later one so much of that: none does
# for ever.
_GOES_ON = 0.98


class Trend(NamedTuple):
    """By how much usage grows each day (a logarithm, 0 if that may be chance), and the standard
    error of that; 0 where nothing is known of it."""

    growth: float
    error: float

    def factors(self, ages: Floats) -> Floats:
        """How many times as much as today a day of each age costs; see `ages`."""
        return np.asarray(np.exp(self.growth * ages))


def ages(before: int, ahead: int) -> Floats:
    """So many days before today and so many from today on, as days of growth since today."""
    return np.concatenate([np.arange(-before, 0.0), np.cumsum(_GOES_ON ** np.arange(ahead)) - 1])


NO_TREND = Trend(0.0, 0.0)


def trend(costs: Floats) -> Trend:
    """The trend of the whole weeks up to the last of these days.

    A line is fitted to the logarithms of weeks. It is drawn to none as far as it may be chance
    (James and Stein), and left out where one step fits about as well.
    """
    weeks = costs.size // _DAYS
    sums = costs[costs.size - weeks * _DAYS :].reshape(weeks, _DAYS).sum(axis=1)
    if weeks < _WEEKS_MIN or (sums <= 0).any():
        return NO_TREND
    logs = np.log(sums)
    logs -= logs.mean()
    days = (np.arange(weeks) - (weeks - 1) / 2) * _DAYS
    growth = float(days @ logs / (days @ days))
    left = float(((logs - growth * days) ** 2).sum())
    error = (left / (weeks - 2) / float(days @ days)) ** 0.5
    of_step = float(logs @ logs - ((_steps(weeks) @ logs) ** 2).max())
    if of_step * _STEP_SAYS < left:
        return NO_TREND
    if abs(growth) <= _ERRORS * error:
        return Trend(0.0, error)
    return Trend(growth * (1 - (_ERRORS * error / growth) ** 2), error)


@lru_cache(maxsize=8)
def _steps(weeks: int) -> Floats:
    """For each day on which usage may have changed once: the share of each week after it, centred
    and of length 1."""
    day = np.arange(weeks * _DAYS)
    first = day[_STEP_DAYS : 1 - _STEP_DAYS, np.newaxis]
    after = (day >= first).reshape(-1, weeks, _DAYS).mean(axis=2)
    after -= after.mean(axis=1, keepdims=True)
    return np.asarray(after / np.linalg.norm(after, axis=1, keepdims=True))
