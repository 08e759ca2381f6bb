"""Find what could have been saved in the last 30 days."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from django_q.tasks import async_task

from keys.models import ApiKey
from orchestration.queries.first_attempts import FirstAttempt, first_attempts
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import Advice, Cheaper, Comparison, Month, cheaper
from prediction.savings.costs import Arm
from prediction.savings.intervals import Interval

_MONTH = timedelta(days=30)
# Of each key and model: the newest ones are enough for an interval.
_TRIES_MAX = 2_000


def find_savings(*, now: datetime) -> int:
    """Find what could have been saved, and keep it; returns how many proposals are new.

    Running it again at the same moment changes nothing.
    """
    found = list(_cheaper_keys(now))
    return prediction.keep_savings(found, kinds=[SavingKind.CHEAPER], now=now)


def ask_savings() -> None:
    """Have a job look for savings now."""
    async_task("reports.jobs.find_savings")


class _Kind(NamedTuple):
    """A kind of work: the parts of an agent that a runner carries out, of which no request named
    the model, so Butler chose the key without looking at the work."""

    agent: str
    cost_centre: str
    runner: str


class _Used(NamedTuple):
    """Who carried an attempt out."""

    api_key: str
    model: str


def _cheaper_keys(now: datetime) -> Iterator[prediction.FoundSaving]:
    tries: dict[_Kind, dict[_Used, list[FirstAttempt]]] = defaultdict(lambda: defaultdict(list))
    for each in first_attempts(since=now - _MONTH, until=now):
        if not each.is_named:
            kind = _Kind(each.agent, each.cost_centre, each.runner)
            tries[kind][_Used(each.api_key, each.model)].append(each)
    lent = set(ApiKey.objects.filter(status=ApiKey.Status.ACTIVE).values_list("pk", flat=True))
    for kind, by_key in tries.items():
        arms = {used: _arm(made) for used, made in by_key.items()}
        months = {used: _month(made) for used, made in by_key.items()}
        for found in cheaper(arms, months):
            base, other = _Used(*found.base), _Used(*found.other)  # type: ignore[misc]
            is_lent = {base.api_key, other.api_key} <= lent and base.api_key != other.api_key
            if is_lent and found.comparison.advice is Advice.SWITCH:
                yield _saving(kind, base, other, found, arms)


def _arm(made: list[FirstAttempt]) -> Arm:
    newest = made[:_TRIES_MAX]
    return Arm(
        np.array([float(each.cost) for each in newest]),
        np.array([float(each.succeeded) for each in newest]),
    )


def _month(made: list[FirstAttempt]) -> Month:
    return Month(float(sum(each.cost for each in made)), sum(each.succeeded for each in made))


def _saving(
    kind: _Kind, base: _Used, other: _Used, found: Cheaper, arms: dict[_Used, Arm]
) -> prediction.FoundSaving:
    seen = found.comparison
    return prediction.FoundSaving(
        kind=SavingKind.CHEAPER,
        subject=f"agent:{kind.agent}",
        detail=f"{kind.runner}: {base.api_key}, {base.model} → {other.api_key}, {other.model}",
        cost_centre=kind.cost_centre,
        advice=Saving.Advice.SWITCH,
        amount=seen.amount,
        words=_words(kind, base, other, seen, arms),
        evidence={
            "runner": kind.runner,
            "from_key": base.api_key,
            "from_model": base.model,
            "from_tries": arms[base].tries,
            "to_key": other.api_key,
            "to_model": other.model,
            "to_tries": arms[other].tries,
            "from_success": list(seen.base_share),
            "to_success": list(seen.other_share),
            "success_difference": list(seen.difference),
            "from_cost": list(seen.base_cost),
            "to_cost": list(seen.other_cost),
        },
    )


def _words(kind: _Kind, base: _Used, other: _Used, seen: Comparison, arms: dict[_Used, Arm]) -> str:
    return (
        f"Parts of {kind.agent} with the runner {kind.runner} succeeded on {other.api_key} "
        f"({other.model}) in {_percent(seen.other_share)} of {arms[other].tries:,} first attempts "
        f"at {_usd(seen.other_cost)} for each success; on {base.api_key} ({base.model}) in "
        f"{_percent(seen.base_share)} of {arms[base].tries:,} at {_usd(seen.base_cost)}."
    )


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _usd(cost: Interval) -> str:
    return f"{cost.estimate:.4f} USD ({cost.low:.4f} to {cost.high:.4f})"
