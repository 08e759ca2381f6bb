"""Draws of past days for the days ahead: a bootstrap."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# The low end, the middle and the high end: four of five draws are between the ends.
SHARES = (0.1, 0.5, 0.9)
_DRAWS = 300


@lru_cache(maxsize=512)
def draws(size: int, days: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Which of `size` past days each draw takes for each of `days` ahead (draws × days). The same
    for the same numbers: a figure on a page does not change by itself.

    Days are drawn one by one: blocks of a week out of four are few, and make bands too narrow.
    """
    return np.random.default_rng([size, days, seed]).integers(0, size, (_DRAWS, days))
