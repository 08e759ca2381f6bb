"""Which groups have left the rule of words: where what was learned misses by less."""

import numpy as np
from numpy.typing import NDArray

from prediction.learning.forecaster import chain
from prediction.learning.rows import Rows

Floats = NDArray[np.float64]
# A group is judged by no fewer rows.
ROWS_MIN = 30


def groups_learned(rows: Rows, held_back: Floats) -> dict[str, bool]:
    """For every group with ROWS_MIN rows: whether the forecasts without each row itself (logarithms
    of TARGETS) miss the tokens by less than the rule of words does."""
    real = rows.values[:, 0]
    ours = np.abs(np.log(np.maximum(real, 1)) - held_back[:, 0])
    theirs = np.abs(np.log(np.maximum(real, 1)) - np.log(np.maximum(rows.rule, 1)))
    # Without a text there was no rule to follow.
    theirs[np.isnan(rows.rule)] = np.inf
    members: dict[str, list[int]] = {}
    named = [chain("", group) for group in rows.groups]
    for row, group in enumerate(rows.group):
        for name in named[group]:
            members.setdefault(name, []).append(row)
    return {
        name: bool(np.median(ours[own]) <= np.median(theirs[own]))
        for name, own in members.items()
        if len(own) >= ROWS_MIN
    }
