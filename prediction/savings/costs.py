"""The cost per success: all that was spent, also in vain, for each try that succeeded."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.savings.intervals import Interval

_DRAWS = 1_000
_SEED = 16
# A draw with fewer successes says nothing of the cost per success.
SUCCESSES_MIN = 10

Floats = NDArray[np.float64]


class Arm(NamedTuple):
    """Tries of one kind of work on one API key or model: what each cost (USD), and whether it
    succeeded (1 or 0)."""

    costs: Floats
    succeeded: Floats

    @property
    def tries(self) -> int:
        """How many there are."""
        return len(self.costs)

    @property
    def successes(self) -> int:
        """How many of them succeeded."""
        return int(self.succeeded.sum())


class Draws(NamedTuple):
    """The logarithm of the cost per success and its standard error, as seen and in draws."""

    log_cost: float
    error: float
    log_costs: Floats
    errors: Floats


def draws(arm: Arm) -> Draws:
    """The cost per success of an arm with at least SUCCESSES_MIN successes, drawn again from its
    tries. The same arm has the same draws."""
    columns = np.column_stack(
        [
            arm.costs,
            arm.succeeded,
            arm.costs**2,
            arm.costs * arm.succeeded,
            arm.succeeded**2,
        ]
    )
    means = _picked(arm.tries) @ columns / arm.tries
    means = means[means[:, 1] > 0]
    log_costs, errors = _log_cost(means, arm.tries)
    seen, error = _log_cost(columns.mean(axis=0, keepdims=True), arm.tries)
    return Draws(float(seen[0]), float(error[0]), log_costs, errors)


def _picked(tries: int) -> Floats:
    """How often each try is in each draw, of as many tries as there are."""
    picked = np.random.default_rng(_SEED).integers(0, tries, size=(_DRAWS, tries))
    picked += np.arange(_DRAWS)[:, np.newaxis] * tries
    counts = np.bincount(picked.ravel(), minlength=_DRAWS * tries)
    return counts.reshape(_DRAWS, tries).astype(np.float64)


def _log_cost(means: Floats, tries: int) -> tuple[Floats, Floats]:
    """The logarithm of a ratio of means and its standard error by the delta method."""
    cost, success, cost_2, product, success_2 = means.T
    ratio = np.maximum(cost, 1e-12) / success
    variance = cost_2 - 2 * ratio * product + ratio**2 * success_2
    error = np.sqrt(np.maximum(variance, 1e-24) / tries) / (ratio * success)
    return np.log(ratio), error


def cost_per_success(found: Draws, *, confidence: float) -> Interval:
    """The interval of one arm, in USD, by the studentized bootstrap on logarithms: costs are
    skewed, and with some 30 of them percentiles alone are too narrow."""
    scores = (found.log_costs - found.log_cost) / found.errors
    return _interval(found.log_cost, found.error, scores, confidence)


def cost_ratio(other: Draws, base: Draws, *, confidence: float) -> Interval:
    """The interval of what `other` costs per success, as a multiple of `base`."""
    count = min(len(other.log_costs), len(base.log_costs))
    difference = other.log_cost - base.log_cost
    # The draws of both begin with the same seed; one is turned so that they are independent.
    others, bases = other.log_costs[:count], np.roll(base.log_costs[:count], count // 2)
    errors = np.hypot(other.errors[:count], np.roll(base.errors[:count], count // 2))
    scores = (others - bases - difference) / errors
    return _interval(difference, float(np.hypot(other.error, base.error)), scores, confidence)


def _interval(center: float, error: float, scores: Floats, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return Interval(
        float(np.exp(center - max(high, 0) * error)),
        float(np.exp(center)),
        float(np.exp(center - min(low, 0) * error)),
    )
