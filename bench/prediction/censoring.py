"""Whether forecasts shrink themselves: budgets by P90 cut work off, and the next forecasts are
learned from what is left of it, round after round."""

from pathlib import Path
from typing import TextIO

import numpy as np

from bench.prediction import recordings
from bench.prediction.recordings import Work
from prediction.learning.train import train

ROUNDS = 8
_PROBES = 0.03


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print the mean P90 of each round, if cut work counts as complete, is left out, or is a lower
    bound."""
    work = recordings.fleet(folder)
    print("\ncensoring: mean P90 / mean real by round; goal: it does not fall", file=out)  # noqa: T201
    for way in ("as complete", "left out", "lower bound"):
        figures = "  ".join(f"{each:>6.2f}" for each in shrinking(work, way, seed=seeds[0]))
        print(f"{way:>34} {figures}", file=out, flush=True)  # noqa: T201


def shrinking(work: list[Work], way: str, *, seed: int, rounds: int = ROUNDS) -> list[float]:
    """The mean P90 in units of the mean tokens, of each round: a third of the work is done in each,
    under budgets by what the rounds before have left."""
    random = np.random.default_rng(seed)
    real = np.array([each.values[0] for each in work], float)
    seen, cut = list(work), np.zeros(len(work), bool)
    found = []
    for _ in range(rounds):
        known = [
            each for each, over in zip(seen, cut, strict=True) if way != "left out" or not over
        ]
        censored = cut if way == "lower bound" else np.zeros(len(known), bool)
        forecaster = train(recordings.rows_of(known, censored))
        forecasts = forecaster.forecasts([(None, each.group) for each in work])
        budgets = np.array([each.quantiles[0, 1] for each in forecasts])
        found.append(float(budgets.mean() / real.mean()))
        generous = random.random(len(work)) < _PROBES
        lent = np.where(generous, 10 * budgets, budgets)
        # As if every task came again, on another day: it differs by a third.
        again = real * random.lognormal(0, 0.4, len(work))
        used = np.minimum(again, lent)
        cut = again > lent
        seen = [
            each._replace(values=tuple(value * share for value in each.values))
            for each, share in zip(work, used / real, strict=True)
        ]
    return found
