"""Draws of past days for the days ahead: a bootstrap in blocks of days in a row."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# The low end, the middle and the high end: four of five draws are between the ends.
SHARES = (0.1, 0.5, 0.9)
_DRAWS = 300
# A busy week is busy on each of its days.
_BLOCK = 7


@lru_cache(maxsize=512)
def draws(size: int, days: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Which of `size` past days each draw takes for each of `days` ahead (draws × days). The same
    for the same numbers: a figure on a page does not change by itself."""
    block = max(min(days, size, _BLOCK), 1)
    chance = np.random.default_rng([size, days, seed])
    starts = chance.integers(0, size - block + 1, (_DRAWS, -(-days // block)))
    blocks = starts[:, :, None] + np.arange(block)
    return np.asarray(blocks.reshape(_DRAWS, -1)[:, :days])
