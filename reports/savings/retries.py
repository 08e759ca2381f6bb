"""What failed attempts cost that were tried again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from orchestration.queries.repeated_attempts import RepeatedAttempts
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import AMOUNT_MIN
from prediction.savings.intervals import Interval
from reports.savings.tries import spent_on_failures

# What helps against a kind of failure, where something does.
_REMEDIES = {
    "budget_exhausted": "Give such parts larger shares, or size their budgets by forecasts.",
    "unusable_answer": "Say in the prompt which format is wanted, or ask for more output tokens.",
    "timeout": "Give the parts more time, or divide them.",
    "provider_error": "Lend a key of another provider first.",
}


def retries(failed: Iterable[RepeatedAttempts]) -> Iterator[prediction.FoundSaving]:
    """Where at least a dollar was spent on attempts that came to nothing."""
    alike: dict[tuple[str, str, str, str], list[RepeatedAttempts]] = defaultdict(list)
    for each in failed:
        alike[each.agent, each.cost_centre, each.runner, each.error_kind].append(each)
    for made in alike.values():
        if sum(each.cost for each in made) >= AMOUNT_MIN:
            yield _saving(made)


def _saving(made: Sequence[RepeatedAttempts]) -> prediction.FoundSaving:
    first = made[0]
    agent, runner, error_kind = first.agent, first.runner, first.error_kind
    attempts, tokens = sum(each.attempts for each in made), sum(each.tokens for each in made)
    cost = float(sum(each.cost for each in made))
    remedy = _REMEDIES.get(error_kind, "See what their errors have in common.")
    return prediction.FoundSaving(
        kind=SavingKind.RETRIES,
        subject=f"agent:{agent}",
        detail=f"{runner}: {error_kind}",
        cost_centre=first.cost_centre,
        advice=Saving.Advice.LOOK,
        # It is known, not estimated.
        amount=Interval(cost, cost, cost),
        words=f"{attempts:,} attempts of {agent} with the runner {runner} failed ({error_kind}) "
        f"and were tried again; they used {tokens:,} tokens. Part of that can be avoided, nobody "
        f"knows how much. {remedy}",
        evidence={
            "runner": runner,
            "error_kind": error_kind,
            "attempts": attempts,
            "tokens": tokens,
        },
        spent=spent_on_failures(made),
    )
