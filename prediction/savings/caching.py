"""What a provider's cache would have saved, by a sample of quarters of an hour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prediction.savings.intervals import Interval, student_95

# Fewer quarters of an hour, or calls, say nothing of a month.
QUARTERS_MIN, CALLS_MIN = 10, 100


class Quarter(NamedTuple):
    """Input tokens of an agent's calls to one model in a quarter of an hour.

    `repeated`: sent in the five minutes before, too; `missed`: of these, what was not read from a
    cache; `fresh`: what is new, and was not written to a cache either.
    """

    calls: int
    given: int
    repeated: int
    cached: int
    missed: int
    fresh: int


class InputRates(NamedTuple):
    """USD per token: of input, of what is read from a cache, and of what is written to one."""

    given: float
    cached: float
    write: float


class Caching(NamedTuple):
    """What a cache would have saved in a month (USD), and shares: of the input that is repeated,
    and of that what was read from a cache."""

    amount: Interval
    repeated: float
    cached: float
    calls: int
    quarters: int


def caching(
    quarters: Sequence[Quarter], rates: InputRates, *, month_tokens: float
) -> Caching | None:
    """The saving for `month_tokens` of input, at most all that it cost; None with too small a
    sample, or if the provider has no cheaper rate.

    What is missed would cost less, and what is fresh would be written to the cache, which some
    providers charge for. The interval is that of a ratio of sums, by Student's law: the quarters
    of an hour were drawn by a hash.
    """
    calls = sum(each.calls for each in quarters)
    if len(quarters) < QUARTERS_MIN or calls < CALLS_MIN or rates.cached >= rates.given:
        return None
    given = np.array([each.given for each in quarters], dtype=float)
    missed, fresh, repeated, cached = (
        np.array([getattr(each, name) for each in quarters], dtype=float)
        for name in ("missed", "fresh", "repeated", "cached")
    )
    saved = missed * (rates.given - rates.cached) - fresh * max(rates.write - rates.given, 0)
    ratio = saved.sum() / given.sum()
    error = (
        student_95(len(quarters))
        * np.sqrt(len(quarters))
        * np.std(saved - ratio * given, ddof=1)
        / given.sum()
    )
    most = rates.given * month_tokens
    low, amount, high = (
        float(np.clip(each * month_tokens, 0, most))
        for each in (ratio - error, ratio, ratio + error)
    )
    again = repeated.sum()
    return Caching(
        amount=Interval(low, amount, high),
        repeated=float(again / given.sum()),
        cached=float(np.minimum(cached, repeated).sum() / again) if again else 0.0,
        calls=calls,
        quarters=len(quarters),
    )
