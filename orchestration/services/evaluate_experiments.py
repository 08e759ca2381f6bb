"""End experiments: when their time is over, or when what they try is clearly worse."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db import transaction
from django.db.models import F, Q, Sum

from alerts import services as alerts
from orchestration.alert_kinds import EXPERIMENT_ENDED
from orchestration.models import Experiment, SubTask
from prediction.savings.cheaper import Comparison, Month
from prediction.savings.costs import Arm
from prediction.savings.intervals import Interval
from prediction.savings.trial import Trial, trial

_MONTH_DAYS = 30
# Of each arm: more of them change no verdict.
_PARTS_MAX = 5_000
# Parts that have not ended so long after the end of the experiment are left out.
_WAIT = timedelta(days=1)
# Failures that say nothing about the model.
_OF_OTHERS = (
    *("dependency_failed", "approval_refused", "approval_expired", "skipped", "cancelled"),
    *("lost", "misconfigured", "quarantined", "task_timeout"),
)
_ENDED = (SubTask.Status.SUCCEEDED, SubTask.Status.FAILED)


def evaluate_experiments(*, now: datetime) -> int:
    """End what can be ended, and tell what came of it; returns how many were ended."""
    running = Experiment.objects.filter(status=Experiment.Status.RUNNING)
    return sum(_evaluate(pk, now=now) for pk in running.order_by("pk").values_list("pk", flat=True))


@transaction.atomic(durable=True)
def _evaluate(pk: int, *, now: datetime) -> bool:
    row = Experiment.objects.select_for_update(no_key=True).get(pk=pk)
    if row.status != Experiment.Status.RUNNING:
        return False
    base, tried = (_arm(row, is_tried=is_tried) for is_tried in (False, True))
    days = min(now - row.started_at, row.ends_at - row.started_at) / timedelta(days=1)
    per_month = _MONTH_DAYS / max(days, 1)
    month = Month(float(base.costs.sum()) * per_month, int(base.successes * per_month))
    found = trial(base, tried, month, is_over=_is_over(row, now))
    if found is None:
        return False
    row.status, row.ended_at = str(found.verdict), now
    row.outcome, row.result = _words(row, base, tried, found), _figures(found.comparison)
    row.save(update_fields=["status", "ended_at", "outcome", "result"])
    _tell(row, now=now)
    return True


def _is_over(row: Experiment, now: datetime) -> bool:
    """Whether its time is over and its parts have ended, or were waited for long enough."""
    if now < row.ends_at:
        return False
    to_come = row.parts.filter(sub_task__status__in=SubTask.OPEN)
    return now >= row.ends_at + _WAIT or not to_come.exists()


def _arm(row: Experiment, *, is_tried: bool) -> Arm:
    """Its parts that have ended, with what all their attempts cost."""
    ended = row.parts.filter(is_tried=is_tried, sub_task__status__in=_ENDED).exclude(
        sub_task__error_kind__in=_OF_OTHERS
    )
    costs = ended.order_by("-pk").annotate(
        status=F("sub_task__status"),
        cost=Sum(
            "sub_task__attempts__allocation__used_cost",
            filter=Q(sub_task__attempts__finalized_at__isnull=False),
        ),
    )
    found = list(costs.values_list("status", "cost")[:_PARTS_MAX])
    return Arm(
        np.array([float(cost or Decimal(0)) for _, cost in found]),
        np.array([float(status == SubTask.Status.SUCCEEDED) for status, _ in found]),
    )


def _figures(seen: Comparison | None) -> dict[str, list[float]]:
    if seen is None:
        return {}
    return {
        "amount": list(seen.amount),
        "success_difference": list(seen.difference),
        "from_success": list(seen.base_share),
        "to_success": list(seen.other_share),
        "from_cost": list(seen.base_cost),
        "to_cost": list(seen.other_cost),
    }


def _words(row: Experiment, base: Arm, tried: Arm, found: Trial) -> str:
    asked = row.from_model or "the model that Butler chooses"
    counts = (
        f"{row.model} did {tried.successes:,} of {tried.tries:,} parts, {asked} {base.successes:,} "
        f"of {base.tries:,}."
    )
    if (seen := found.comparison) is None:
        return f"{counts} That is too little to compare what they cost."
    points = Interval(*(100 * end for end in seen.difference))
    return (
        f"{counts} It succeeds more often by {points.estimate:.1f} points ({points.low:.1f} to "
        f"{points.high:.1f}). A success costs {_usd(seen.other_cost)} instead of "
        f"{_usd(seen.base_cost)}."
    )


def _usd(cost: Interval) -> str:
    return f"{cost.estimate:.4f} USD ({cost.low:.4f} to {cost.high:.4f})"


_SAYS = {
    "better": "is as good and cheaper",
    "worse": "is worse, and the proposal is withdrawn",
    "undecided": "is neither surely as good nor surely worse",
}


def _tell(row: Experiment, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=EXPERIMENT_ENDED,
        dedup_key=f"experiment:{row.pk}",
        title=f"{row.model} for parts of {row.agent_id} {_SAYS[row.status]}",
        detail=row.outcome,
        facts={"experiment": row.pk, "model": row.model, **row.result},
        agent_id=row.agent_id,
        now=now,
    )
