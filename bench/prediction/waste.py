"""The fleet again: what is allocated and not used, and how often a budget is not enough.

Half of the tasks are history. The rule of words cannot be used as it is: its budgets are 1,900
times too small. It is multiplied by the P90 of what its history needed more.
"""

from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import baselines, recordings
from bench.prediction.recordings import Work
from bench.prediction.texts import learned
from prediction.estimate import estimate
from prediction.learning.quantiles import conformal_quantile

Floats = NDArray[np.float64]
REPEATED_SPREAD = 0.5


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print waste and refusals of each way to size budgets."""
    work = recordings.fleet(folder)
    print("\nwaste: a P90 for each task of the fleet; half of the tasks are history", file=out)  # noqa: T201
    print(f"{'':>34} {'waste/used':>10}  {'refused':>7}", file=out)  # noqa: T201
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(work))
        history = [work[place] for place in order[: len(work) // 2]]
        asked = [work[place] for place in order[len(work) // 2 :]]
        for name, budgets in _budgets(history, asked, work).items():
            found.setdefault(name, []).append(waste(budgets, baselines.tokens(asked)))
    for name, figures in found.items():
        wasted, refused = np.mean(figures, axis=0)
        print(f"{name:>34} {wasted:>10.2f}  {refused:>7.3f}", file=out, flush=True)  # noqa: T201


def _budgets(history: list[Work], asked: list[Work], work: list[Work]) -> dict[str, Floats]:
    rule = np.array([float(estimate(each.text).estimated) for each in asked])
    known_rule = np.array([float(estimate(each.text).estimated) for each in history])
    ratio = conformal_quantile(baselines.tokens(history) / known_rule, 0.9)
    # Every task was done once before, and differs from then by a half.
    factors = np.random.default_rng(1).lognormal(0, REPEATED_SPREAD, len(work))
    repeated = [
        each._replace(values=tuple(value * factor for value in each.values))
        for each, factor in zip(work, factors, strict=True)
    ]
    return {
        "constant": baselines.constant(history, asked)[:, 1],
        "rule of words as it is": rule,
        "rule of words × ratio": rule * ratio,
        "learned": learned(history, asked)[:, 1],
        "learned, tasks seen once": learned(history + repeated, asked)[:, 1],
    }


def waste(budgets: Floats, real: Floats) -> tuple[float, float]:
    """What was allocated and not used, in units of what was used; and the share of tasks whose
    budget was not enough."""
    used = np.minimum(real, budgets)
    return float((budgets - used).sum() / real.sum()), float(np.mean(real > budgets))
