"""`python -m bench.savings`: fleets with a known best choice, and those with nothing to be had.

Work is made up of which one knows what each model costs and how often it succeeds. Printed is how
often the best choice is found, how often the true amount of the month lies within its interval, and
how often something is advised where nothing is to be saved.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import NamedTuple, TextIO

import numpy as np

from prediction.savings.cheaper import Advice, Cheaper, Month, cheaper
from prediction.savings.costs import Arm


class Truth(NamedTuple):
    """A model of a made-up fleet: mean cost of a try (USD), share of success, tries."""

    cost: float
    success: float
    tries: int

    @property
    def per_success(self) -> float:
        """What a success costs in the long run."""
        return self.cost / self.success


class Fleet(NamedTuple):
    """Models by name, of which `used` is the one that most work goes to; `best` is blank where
    nothing is to be saved."""

    title: str
    models: Mapping[str, Truth]
    used: str
    best: str = ""


class Score(NamedTuple):
    """How often in 100 seeds: the best was found (by a switch, or by an experiment), the amount was
    within its interval, and something else was advised."""

    switch: float
    experiment: float
    covered: float
    wrong: float


# Deviation of the logarithm of costs: the dearest tenth of the tries costs 13 times the cheapest.
_SPREAD = 1.0
_LARGE, _NANO = Truth(0.40, 0.95, 1500), Truth(0.05, 0.70, 900)
FLEETS = (
    Fleet(
        "one as good at a quarter of the cost",
        {"large": _LARGE, "small": Truth(0.10, 0.95, 900), "nano": _NANO},
        "large",
        "small",
    ),
    Fleet(
        "the same, 60 tries of the cheaper one",
        {"large": _LARGE, "small": Truth(0.10, 0.95, 60), "nano": _NANO},
        "large",
        "small",
    ),
    Fleet(
        "one as good at three quarters of the cost",
        {"large": _LARGE, "small": Truth(0.30, 0.96, 900)},
        "large",
        "small",
    ),
    Fleet("all alike", {name: Truth(0.20, 0.95, 600) for name in ("a", "b", "c", "d")}, "a"),
    Fleet("all alike, 40 tries", {name: Truth(0.20, 0.9, 40) for name in ("a", "b", "c")}, "a"),
    Fleet(
        "cheaper tries that fail as often as they are cheaper",
        {"large": Truth(0.40, 0.96, 1500), "small": Truth(0.20, 0.48, 900)},
        "large",
    ),
    Fleet(
        "cheaper, but 10 points worse",
        {"large": Truth(0.40, 0.95, 1500), "small": Truth(0.10, 0.85, 900)},
        "large",
    ),
    Fleet("too few tries to know", {"large": _LARGE, "small": Truth(0.10, 0.95, 29)}, "large"),
)


def tries(truth: Truth, rng: np.random.Generator) -> Arm:
    """Tries of a model: skewed costs, and failures that cost as much as successes."""
    costs = rng.lognormal(np.log(truth.cost) - _SPREAD**2 / 2, _SPREAD, truth.tries)
    return Arm(costs, (rng.random(truth.tries) < truth.success).astype(float))


def advice(fleet: Fleet, seed: int) -> tuple[list[Cheaper], Month]:
    """What is advised for a fleet, and what its used model has spent."""
    rng = np.random.default_rng(seed)
    arms = {name: tries(truth, rng) for name, truth in fleet.models.items()}
    months = {name: Month(float(arm.costs.sum()), arm.successes) for name, arm in arms.items()}
    return cheaper(arms, months), months[fleet.used]


def score(fleet: Fleet, seeds: int) -> Score:
    """Advise for a fleet with many seeds."""
    kinds, covered, wrong = [], [], 0
    for seed in range(seeds):
        found, month = advice(fleet, seed)
        right = [each for each in found if (each.base, each.other) == (fleet.used, fleet.best)]
        wrong += any(_is_wrong(each, fleet) for each in found)
        kinds += [each.comparison.advice for each in right]
        covered += [_covers(each, fleet, month) for each in right]
    share = 100 / seeds
    return Score(
        kinds.count(Advice.SWITCH) * share,
        kinds.count(Advice.EXPERIMENT) * share,
        100 * sum(covered) / len(covered) if covered else float("nan"),
        wrong * share,
    )


def _is_wrong(each: Cheaper, fleet: Fleet) -> bool:
    """Whether it saves nothing, or is worse by more than it may be."""
    base, other = fleet.models[str(each.base)], fleet.models[str(each.other)]
    return other.per_success >= base.per_success or other.success < base.success - 0.02


def _covers(each: Cheaper, fleet: Fleet, month: Month) -> bool:
    truth = month.spent - month.successes * fleet.models[fleet.best].per_success
    return each.comparison.amount.low <= truth <= each.comparison.amount.high


def run(seeds: int, out: TextIO) -> None:
    """Print a line for each fleet."""
    out.write(f"{seeds} seeds, all figures in %\n")
    out.write(f"{'fleet':54}{'switch':>8}{'trial':>8}{'covered':>9}{'wrong':>8}\n")
    for fleet in FLEETS:
        found = score(fleet, seeds)
        figures = (
            f"{found.switch:8.1f}{found.experiment:8.1f}{found.covered:9.1f}{found.wrong:8.1f}"
        )
        out.write(f"{fleet.title:54}{figures}\n")


def main() -> None:
    """Parse the options and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.savings", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many fleets of each kind")
    run(parser.parse_args().seeds, sys.stdout)


if __name__ == "__main__":
    main()
