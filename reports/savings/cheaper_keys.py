"""API keys that did the same kind of work as well for less, where Butler chose the key."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from keys.models import ApiKey
from orchestration.queries.first_attempts import FirstAttempt
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import Advice, Comparison, cheaper
from prediction.savings.costs import Arm
from reports.savings.tries import Kind, arm, kind_of, month, spent
from reports.savings.words import figures, percent, usd


class _Used(NamedTuple):
    """Who carried an attempt out."""

    api_key: str
    model: str


def cheaper_keys(tried: Sequence[FirstAttempt]) -> Iterator[prediction.FoundSaving]:
    """What could be lent first. Work whose request named a model or provider is left out: it may
    have been chosen by how hard the work was."""
    tries: dict[Kind, dict[_Used, list[FirstAttempt]]] = defaultdict(lambda: defaultdict(list))
    for each in tried:
        if not each.asked_model and not each.asked_provider:
            tries[kind_of(each)][_Used(each.api_key, each.model)].append(each)
    lent = set(ApiKey.objects.filter(status=ApiKey.Status.ACTIVE).values_list("pk", flat=True))
    for kind, by_key in tries.items():
        arms = {used: arm(made) for used, made in by_key.items() if used.api_key in lent}
        months = {used: month(by_key[used]) for used in arms}
        for found in cheaper(arms, months):
            base, other = _Used(*found.base), _Used(*found.other)  # type: ignore[misc]
            if base.api_key != other.api_key and found.comparison.advice is Advice.SWITCH:
                saving = _saving(kind, base, other, found.comparison, arms)
                yield saving._replace(spent=spent(by_key[base]))


def _saving(
    kind: Kind, base: _Used, other: _Used, seen: Comparison, arms: dict[_Used, Arm]
) -> prediction.FoundSaving:
    return prediction.FoundSaving(
        kind=SavingKind.CHEAPER,
        subject=f"agent:{kind.agent}",
        detail=f"{kind.runner}: {base.api_key}, {base.model} → {other.api_key}, {other.model}",
        cost_centre=kind.cost_centre,
        advice=Saving.Advice.SWITCH,
        amount=seen.amount,
        words=f"Parts of {kind.agent} with the runner {kind.runner} succeeded on {other.api_key} "
        f"({other.model}) in {percent(seen.other_share)} of {arms[other].tries:,} first attempts "
        f"at {usd(seen.other_cost)} for each success; on {base.api_key} ({base.model}) in "
        f"{percent(seen.base_share)} of {arms[base].tries:,} at {usd(seen.base_cost)}.",
        evidence={
            "runner": kind.runner,
            "from_key": base.api_key,
            "from_model": base.model,
            "from_tries": arms[base].tries,
            "to_key": other.api_key,
            "to_model": other.model,
            "to_tries": arms[other].tries,
            **figures(seen),
        },
    )
