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
    found: dict[str, bool] = {}
    chains = [chain("", group) for group in rows.groups]
    for depth in range(len(chains[0]) if chains else 0):
        names = sorted({each[depth] for each in chains})
        at = {name: place for place, name in enumerate(names)}
        member = np.array([at[each[depth]] for each in chains])[rows.group]
        order = np.argsort(member, kind="stable")
        ends = np.cumsum(np.bincount(member, minlength=len(names)))
        for name, own in zip(names, np.split(order, ends[:-1]), strict=True):
            if len(own) >= ROWS_MIN:
                found[name] = bool(np.median(ours[own]) <= np.median(theirs[own]))
    return found
