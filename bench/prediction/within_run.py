"""How much of a run is still open after some calls: the interval that its total stays within.

The total is at least what was used. Of runs that were learned from and went on for as many calls,
the quantiles of log(total / so far) say how much more; split-conformal, five folds of runs.
"""

from collections import defaultdict
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import recordings
from bench.prediction.texts import FOLDS
from prediction.learning.quantiles import conformal_quantile

Floats = NDArray[np.float64]
_CALLS = (3, 5, 10, 20, 30)
# 0.45 of each side is 0.9 in all.
_LOW, _HIGH = 0.05, 0.95


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print how often the total stayed within its interval, and how wide that is."""
    runs = totals(folder)
    title = "within a run: interval of the total after so many calls; goal: at least .88 covered"
    print(f"\n{title}", file=out)  # noqa: T201
    print(f"{'':>34} {'runs':>6}  {'cov':>6}  {'high/low':>8}", file=out)  # noqa: T201
    for calls in _CALLS:
        measured = [interval(runs, calls, seed) for seed in seeds]
        count, covered, width = np.mean(measured, axis=0)
        line = f"{count:>6.0f}  {covered:>6.3f}  {width:>8.1f}"
        print(f"{f'after {calls} calls':>34} {line}", file=out, flush=True)  # noqa: T201


def totals(folder: Path) -> list[Floats]:
    """The tokens used after each call, of each run."""
    found: dict[str, list[float]] = defaultdict(list)
    for call in recordings.fleet_calls(folder):
        before = found[call.run][-1] if found[call.run] else 0.0
        found[call.run].append(before + call.input + call.output)
    return [np.array(tokens) for tokens in found.values()]


def interval(runs: list[Floats], calls: int, seed: int) -> tuple[int, float, float]:
    """How many runs go on for `calls` calls, the share within the interval, and the median ratio of
    its ends."""
    going = [run for run in runs if len(run) > calls]
    growth = np.array([np.log(run[-1] / run[calls - 1]) for run in going])
    fold = np.random.default_rng(seed).permutation(len(going)) % FOLDS
    within, ratio = np.zeros(len(going), bool), np.zeros(len(going))
    for number in range(FOLDS):
        known, asked = growth[fold != number], fold == number
        low = -conformal_quantile(-known, 1 - _LOW)
        high = conformal_quantile(known, _HIGH)
        within[asked] = (low <= growth[asked]) & (growth[asked] <= high)
        ratio[asked] = np.exp(high - max(low, 0.0))
    return len(going), float(within.mean()), float(np.median(ratio))
