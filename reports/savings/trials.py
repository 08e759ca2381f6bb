"""Models that are worth an experiment, and those that did better in one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from keys.models import ApiKey
from orchestration.models import Experiment
from orchestration.queries.first_attempts import FirstAttempt
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import Comparison, cheaper
from prediction.savings.costs import Arm
from prediction.savings.intervals import Interval
from reports.savings.tries import Kind, arm, kind_of, month, spent
from reports.savings.words import figures, percent, usd

# What was worse is not proposed again for so long.
_WITHDRAWN = timedelta(days=90)
S = Experiment.Status


class _Asked(NamedTuple):
    """What a request named, and who carried the attempt out. Experiments leave requests alone that
    name a provider: they are not `is_free`, and are looked at for comparison only."""

    asked_model: str
    is_free: bool
    model: str
    provider: str


def models_to_try(
    tried: Sequence[FirstAttempt], *, now: datetime
) -> Iterator[prediction.FoundSaving]:
    """What looks cheaper and is not clearly worse, but was not compared fairly or often enough."""
    tries: dict[Kind, dict[_Asked, list[FirstAttempt]]] = defaultdict(lambda: defaultdict(list))
    for each in tried:
        is_free = not each.asked_provider
        used = _Asked(each.asked_model, is_free, each.model, each.provider)
        tries[kind_of(each)][used].append(each)
    sold = set(
        ApiKey.objects.filter(status=ApiKey.Status.ACTIVE).values_list("provider", flat=True)
    )
    tested = _tested(now)
    for kind, made in tries.items():
        arms = {used: arm(each) for used, each in made.items() if used.provider in sold}
        for base in arms:
            if base.is_free:
                yield from _worth_a_trial(kind, base, arms, made, tested)


def _tested(now: datetime) -> set[tuple[str, str, str, str, str]]:
    """What was worse in an experiment lately, or is decided in another way."""
    rows = Experiment.objects.filter(status__in=(S.WORSE, S.BETTER, S.ADOPTED)).exclude(
        status=S.WORSE, ended_at__lt=now - _WITHDRAWN
    )
    return set(rows.values_list("agent_id", "runner", "from_model", "model", "provider_id"))


def _worth_a_trial(
    kind: Kind,
    base: _Asked,
    arms: Mapping[_Asked, Arm],
    made: Mapping[_Asked, list[FirstAttempt]],
    tested: set[tuple[str, str, str, str, str]],
) -> Iterator[prediction.FoundSaving]:
    about = (kind.agent, kind.runner, base.asked_model)
    others = {
        used: each
        for used, each in arms.items()
        if used == base
        or (used[2:] != base[2:] and (*about, used.model, used.provider) not in tested)
    }
    for found in cheaper(others, {used: month(made[used]) for used in others}):
        if found.base == base:
            other = _Asked(*found.other)  # type: ignore[misc]
            saving = _saving(kind, base, other, found.comparison, arms)
            yield saving._replace(spent=spent(made[base]))


def _saving(
    kind: Kind, base: _Asked, other: _Asked, seen: Comparison, arms: Mapping[_Asked, Arm]
) -> prediction.FoundSaving:
    asked = base.asked_model or f"no named model ({base.model})"
    return prediction.FoundSaving(
        kind=SavingKind.CHEAPER,
        subject=f"agent:{kind.agent}",
        detail=_detail(kind.runner, base.asked_model, other.model, other.provider),
        cost_centre=kind.cost_centre,
        advice=Saving.Advice.EXPERIMENT,
        amount=seen.amount,
        words=f"Parts of {kind.agent} with the runner {kind.runner} that ask for {asked} could run "
        f"on {other.model} of {other.provider}: other parts did, and succeeded in "
        f"{percent(seen.other_share)} of {arms[other].tries:,} first attempts at "
        f"{usd(seen.other_cost)} for each success, beside {percent(seen.base_share)} of "
        f"{arms[base].tries:,} at {usd(seen.base_cost)}. Whether it does as well on the same work "
        "is not known.",
        evidence={
            "runner": kind.runner,
            "asked_model": base.asked_model,
            "from_model": base.model,
            "from_tries": arms[base].tries,
            "to_model": other.model,
            "to_provider": other.provider,
            "to_tries": arms[other].tries,
            **figures(seen),
        },
    )


def _detail(runner: str, asked: str, model: str, provider: str) -> str:
    return f"{runner}: {asked or 'no named model'} → {model} of {provider}"


def models_that_did_better(tried: Sequence[FirstAttempt]) -> Iterator[prediction.FoundSaving]:
    """What an experiment has proved, until somebody uses it for all parts."""
    rows = Experiment.objects.filter(status=S.BETTER).select_related("agent")
    for each in rows:
        low, amount, high = each.result["amount"]
        yield prediction.FoundSaving(
            kind=SavingKind.CHEAPER,
            subject=f"agent:{each.agent_id}",
            detail=_detail(each.runner, each.from_model, each.model, each.provider_id),
            cost_centre=each.agent.cost_centre_id,
            advice=Saving.Advice.ADOPT,
            amount=Interval(low, amount, high),
            words=f"An experiment says that {each.model} is as good and cheaper. {each.outcome}",
            evidence={"experiment": each.pk, "to_model": each.model, **each.result},
            spent=spent(a for a in tried if _is_of(each, a)),
        )


def _is_of(experiment: Experiment, attempt: FirstAttempt) -> bool:
    """Whether the attempt is work that the experiment was about."""
    asked = attempt.agent, attempt.runner, attempt.asked_model
    about = experiment.agent_id, experiment.runner, experiment.from_model
    return asked == about and not attempt.asked_provider
