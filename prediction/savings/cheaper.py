"""Whether another API key or model did the same kind of work as well, for less."""

from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from prediction.savings.costs import (
    SUCCESSES_MIN,
    Arm,
    Draws,
    cost_per_success,
    cost_ratio,
    draws,
)
from prediction.savings.intervals import Z_95, Z_ONE_SIDED, Interval, newcombe, wilson

TRIES_MIN = 30
# What succeeds less often by more than this is not as good.
MARGIN = 0.02
# Below this amount a month nothing is said (USD).
AMOUNT_MIN = 1.0
# Of the interval of the amount, and of the decision whether anything is saved at all: many pairs
# are compared each night.
CONFIDENCE, CONFIDENCE_OF_ADVICE = 0.95, 0.998

Name = TypeVar("Name", bound=Hashable)


class Advice(StrEnum):
    """What the figures allow: to use the other one, or to try it out first."""

    SWITCH = "switch"
    EXPERIMENT = "experiment"


class Month(NamedTuple):
    """What was spent in a month (USD), and how many tries succeeded."""

    spent: float
    successes: int


class Comparison(NamedTuple):
    """Another arm beside the one that was used.

    `amount`: what the other one would have saved in the month, in USD, for the same successes.
    `difference`: by how much more often it succeeds; the others are shares and USD per success.
    """

    amount: Interval
    difference: Interval
    base_share: Interval
    other_share: Interval
    base_cost: Interval
    other_cost: Interval
    advice: Advice | None


class Cheaper(NamedTuple):
    """For `base`, the arm `other` that saves the most."""

    base: Hashable
    other: Hashable
    comparison: Comparison


def is_tried(arm: Arm) -> bool:
    """Whether an arm was tried often enough to be compared."""
    return arm.tries >= TRIES_MIN and arm.successes >= SUCCESSES_MIN


def compare(base: Arm, other: Arm, month: Month) -> Comparison:
    """Compare two arms that were tried often enough; `month` is that of `base`."""
    return _compare(base, draws(base), other, draws(other), month)


def cheaper(arms: Mapping[Name, Arm], months: Mapping[Name, Month]) -> list[Cheaper]:
    """For each arm, the one that would have saved most, of those that the figures allow.

    A switch is preferred to an experiment. Arms that were tried too little are left out.
    """
    tried = {name: arm for name, arm in arms.items() if is_tried(arm)}
    drawn = {name: draws(arm) for name, arm in tried.items()}
    found = []
    for name, base in tried.items():
        compared = [
            Cheaper(name, each, _compare(base, drawn[name], other, drawn[each], months[name]))
            for each, other in tried.items()
            if each != name
        ]
        advised = [each for each in compared if each.comparison.advice]
        if advised:
            found.append(max(advised, key=_rank))
    return found


def _rank(each: Cheaper) -> tuple[bool, float]:
    return each.comparison.advice is Advice.SWITCH, each.comparison.amount.low


def _compare(base: Arm, drawn: Draws, other: Arm, other_drawn: Draws, month: Month) -> Comparison:
    other_cost = cost_per_success(other_drawn, confidence=CONFIDENCE)
    # What was spent is known; uncertain is what the other one would have cost.
    amount = Interval(
        month.spent - month.successes * other_cost.high,
        month.spent - month.successes * other_cost.estimate,
        month.spent - month.successes * other_cost.low,
    )
    difference = success_difference(other, base)
    ratio = cost_ratio(other_drawn, drawn, confidence=CONFIDENCE_OF_ADVICE)
    return Comparison(
        amount=amount,
        difference=difference,
        base_share=wilson(base.successes, base.tries, z=Z_95),
        other_share=wilson(other.successes, other.tries, z=Z_95),
        base_cost=cost_per_success(drawn, confidence=CONFIDENCE),
        other_cost=other_cost,
        advice=_advice(ratio, amount, difference),
    )


def success_difference(other: Arm, base: Arm, *, z: float = Z_ONE_SIDED) -> Interval:
    """By how much more often `other` succeeds; each end holds in 95 of 100 cases."""
    shares = [wilson(each.successes, each.tries, z=z) for each in (other, base)]
    return newcombe(*shares)


def _advice(ratio: Interval, amount: Interval, difference: Interval) -> Advice | None:
    if ratio.high >= 1 or amount.low < AMOUNT_MIN:
        return None
    if difference.low >= -MARGIN:
        return Advice.SWITCH
    if difference.high >= 0:
        return Advice.EXPERIMENT
    return None
