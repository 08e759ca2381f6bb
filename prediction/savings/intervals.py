"""Intervals: of a share of success Wilson's, of the difference of two Newcombe's, and Student's
quantile for means."""

from math import sqrt
from typing import NamedTuple

# Quantiles of the normal law: two-sided 95 %, one-sided 95 %, and so far out that looking every day
# is harmless.
Z_95 = 1.96
Z_ONE_SIDED = 1.645
Z_CLEAR = 3.0


class Interval(NamedTuple):
    """An estimate between its low and its high end."""

    low: float
    estimate: float
    high: float


def wilson(successes: int, tries: int, *, z: float = Z_95) -> Interval:
    """The share of success that stands behind `successes` of `tries`, which are at least one."""
    share = successes / tries
    middle = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    half = z * sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    half /= 1 + z * z / tries
    # Rounding may leave the ends a hair inside of the share.
    return Interval(min(max(middle - half, 0), share), share, max(min(middle + half, 1), share))


def newcombe(other: Interval, base: Interval) -> Interval:
    """By how much the share of `other` is above that of `base`, by Newcombe's hybrid of both
    intervals, which are of the same z."""
    difference = other.estimate - base.estimate
    low = sqrt((other.estimate - other.low) ** 2 + (base.high - base.estimate) ** 2)
    high = sqrt((other.high - other.estimate) ** 2 + (base.estimate - base.low) ** 2)
    return Interval(difference - low, difference, difference + high)


def student_95(count: int) -> float:
    """Student's quantile of a two-sided interval of 95 % for the mean of `count` values, by the
    expansion of Cornish and Fisher; it needs ten of them."""
    free = count - 1
    return 1.96 + 2.372 / free + 2.823 / free**2
