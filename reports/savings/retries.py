"""What failed attempts cost that were tried again."""

from collections.abc import Iterator
from datetime import datetime

from orchestration.queries.repeated_attempts import RepeatedAttempts, repeated_attempts
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import AMOUNT_MIN
from prediction.savings.intervals import Interval

# What helps against a kind of failure, where something does.
_REMEDIES = {
    "budget_exhausted": "Give such parts larger shares, or size their budgets by forecasts.",
    "unusable_answer": "Say in the prompt which format is wanted, or ask for more output tokens.",
    "timeout": "Give the parts more time, or divide them.",
    "provider_error": "Lend a key of another provider first.",
}


def retries(*, since: datetime, until: datetime) -> Iterator[prediction.FoundSaving]:
    """Where at least a dollar was spent on attempts that came to nothing."""
    for each in repeated_attempts(since=since, until=until):
        if each.cost >= AMOUNT_MIN:
            yield _saving(each)


def _saving(each: RepeatedAttempts) -> prediction.FoundSaving:
    cost = float(each.cost)
    remedy = _REMEDIES.get(each.error_kind, "See what their errors have in common.")
    return prediction.FoundSaving(
        kind=SavingKind.RETRIES,
        subject=f"agent:{each.agent}",
        detail=f"{each.runner}: {each.error_kind}",
        cost_centre=each.cost_centre,
        advice=Saving.Advice.LOOK,
        # It is known, not estimated.
        amount=Interval(cost, cost, cost),
        words=f"{each.attempts:,} attempts of {each.agent} with the runner {each.runner} failed "
        f"({each.error_kind}) and were tried again; they used {each.tokens:,} tokens. Part of that "
        f"can be avoided, nobody knows how much. {remedy}",
        evidence={
            "runner": each.runner,
            "error_kind": each.error_kind,
            "attempts": each.attempts,
            "tokens": each.tokens,
        },
    )
