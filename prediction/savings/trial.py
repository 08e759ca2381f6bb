"""What an experiment says: part of the work of a kind was done by another model."""

from enum import StrEnum
from typing import NamedTuple

from prediction.savings.cheaper import (
    CONFIDENCE_OF_ADVICE,
    Advice,
    Comparison,
    Month,
    compare,
    is_tried,
    success_difference,
)
from prediction.savings.costs import Arm, cost_ratio, draws
from prediction.savings.intervals import Z_CLEAR

# With fewer parts, an experiment is not stopped, however they end.
STOPPED_FROM = 10


class Verdict(StrEnum):
    """What came of an experiment."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


class Trial(NamedTuple):
    """The verdict, with the figures where both arms were tried often enough."""

    verdict: Verdict
    comparison: Comparison | None


def trial(base: Arm, tried: Arm, month: Month, *, is_over: bool) -> Trial | None:
    """The verdict on `tried` beside `base`, which are parts that a hash has chosen; None while the
    experiment goes on.

    Before it is over it ends only if `tried` is clearly worse, at three standard errors, so that
    looking every hour hardly ever stops a good one.
    """
    comparison = compare(base, tried, month) if is_tried(base) and is_tried(tried) else None
    if _is_clearly_worse(base, tried):
        return Trial(Verdict.WORSE, comparison)
    if not is_over:
        return None
    return Trial(_final(comparison), comparison)


def _is_clearly_worse(base: Arm, tried: Arm) -> bool:
    if min(base.tries, tried.tries) < STOPPED_FROM:
        return False
    if success_difference(tried, base, z=Z_CLEAR).high < 0:
        return True
    if not (is_tried(base) and is_tried(tried)):
        return False
    return cost_ratio(draws(tried), draws(base), confidence=CONFIDENCE_OF_ADVICE).low > 1


def _final(comparison: Comparison | None) -> Verdict:
    if comparison is None:
        return Verdict.UNDECIDED
    if comparison.advice is Advice.SWITCH:
        return Verdict.BETTER
    is_worse = comparison.difference.high < 0 or comparison.amount.high <= 0
    return Verdict.WORSE if is_worse else Verdict.UNDECIDED
