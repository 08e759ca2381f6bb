"""The fleet again in the order of its trace: what is allocated and not used, as Butler does it.

Whenever 25 tasks have begun, it is learned again from the tasks that had ended before the next one
began; P90 follows what was missed of those. The first 50 tasks are history for all.
"""

from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import baselines, recordings
from bench.prediction.recordings import Work
from bench.prediction.waste import REPEATED_SPREAD, Floats, waste
from prediction.estimate import estimate
from prediction.learning.adaptive import AdaptiveQuantile
from prediction.learning.quantiles import conformal_quantile
from prediction.learning.train import train

HISTORY = 50
AT_ONCE = 25
_PROBES = 0.03


class Task(NamedTuple):
    """A run: when it began and ended (Unix time), and its work."""

    began: float
    ended: float
    work: Work


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print waste and refusals of each way, in the order of the trace and in shuffled orders."""
    found = tasks(folder)
    print(f"\nreplay: budgets of the fleet in order; goals: {_GOALS}", file=out)  # noqa: T201
    _print("in the order of the trace", [budgets_in_order(found, seed=seeds[0])], out)
    shuffles = [shuffled(found, seed) for seed in seeds]
    _print("shuffled", [budgets_in_order(each, seed=seeds[0]) for each in shuffles], out)
    seen = [each.work for each in found[::2]]
    lent = budgets_in_order(found, seed=seeds[0], before=repeated(seen, seed=seeds[0]))
    _print("every other task was done once before", [lent], out)


_GOALS = "waste at most half of the rule's, refusals at most the constant's"


def _print(title: str, replays: list[dict[str, tuple[float, float]]], out: TextIO) -> None:
    print(f"  {title:<32} {'waste/used':>10}  {'refused':>7}", file=out)  # noqa: T201
    for name in replays[0]:
        wasted, refused = np.mean([each[name] for each in replays], axis=0)
        print(f"{name:>34} {wasted:>10.2f}  {refused:>7.3f}", file=out, flush=True)  # noqa: T201


def tasks(folder: Path) -> list[Task]:
    """The runs in the order in which they began."""
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    for call in recordings.fleet_calls(folder):
        began.setdefault(call.run, call.at)
        ended[call.run] = call.at
    work = recordings.fleet_by_run(folder)
    return sorted(
        (Task(began[name], ended[name], work[name]) for name in work if name in began),
        key=lambda task: task[:2],
    )


def shuffled(found: list[Task], seed: int) -> list[Task]:
    """The same moments with the work of other tasks."""
    order = np.random.default_rng(seed).permutation(len(found))
    return [task._replace(work=found[at].work) for task, at in zip(found, order, strict=True)]


def repeated(work: list[Work], *, seed: int) -> list[Work]:
    """The same work on another day: it differs by a half."""
    factors = np.random.default_rng(seed).lognormal(0, REPEATED_SPREAD, len(work))
    return [
        each._replace(values=tuple(value * factor for value in each.values))
        for each, factor in zip(work, factors, strict=True)
    ]


def budgets_in_order(
    found: list[Task], *, seed: int, before: list[Work] | None = None
) -> dict[str, tuple[float, float]]:
    """Waste and refusals (`waste`) of the tasks after the first HISTORY. `before`: what was done
    earlier still."""
    probes = np.random.default_rng(seed).random(len(found)) < _PROBES
    follower, settled = AdaptiveQuantile(), 0
    missed: list[tuple[float, float]] = []
    lent: dict[str, list[Floats]] = {}
    for start in range(HISTORY, len(found), AT_ONCE):
        asked = found[start : start + AT_ONCE]
        known = [task.work for task in found[:start] if task.ended < asked[0].began]
        over = sorted(each for each in missed if each[0] < asked[0].began)
        for _, score in over[settled:]:
            follower.settle(score)
        settled = len(over)
        p90, p99 = _learned((before or []) + known, [task.work for task in asked])
        missed += [
            (task.ended, float(np.log(task.work.values[0] / most)))
            for task, most in zip(asked, p90, strict=True)
        ]
        shift = np.exp(follower.shift)
        own = probes[start : start + AT_ONCE]
        ways = _simpler(known, [task.work for task in asked]) | {
            "learned, not followed": p90,
            "learned": p90 * shift,
            "learned, with probes": np.where(own, np.maximum(p90, p99) * shift, p90 * shift),
        }
        for name, budgets in ways.items():
            lent.setdefault(name, []).append(budgets)
    real = baselines.tokens([task.work for task in found[HISTORY:]])
    return {name: waste(np.concatenate(budgets), real) for name, budgets in lent.items()}


def _learned(known: list[Work], asked: list[Work]) -> NDArray[np.float64]:
    forecaster = train(recordings.rows_of(known))
    found = forecaster.forecasts([(recordings.sketch(each.text), each.group) for each in asked])
    return np.array([each.quantiles[0, 1:] for each in found]).T


def _simpler(known: list[Work], asked: list[Work]) -> dict[str, Floats]:
    rule, of_known = (
        np.array([float(estimate(each.text).estimated) for each in work]) for work in (asked, known)
    )
    ratio = conformal_quantile(baselines.tokens(known) / of_known, 0.9)
    return {
        "constant": baselines.constant(known, asked)[:, 1],
        "rule of words × ratio": rule * ratio,
    }
