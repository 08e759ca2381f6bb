"""Alerts about sub-tasks that wait: for a limit in tokens or USD, or for an approval."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from alerts import services as alerts
from alerts.kinds import AlertKind
from alerts.models import Alert
from orchestration import alert_kinds
from orchestration.models import SubTask, Task
from security.actor import Actor

_ACTOR = Actor.job("orchestrator")
# A wait is told after this time: many end with the next settlement.
_TOLD_AFTER = timedelta(seconds=60)
# The second alert comes when this part of the time for an approval is over.
_LATE_PART = 0.8
_MOST = 200
_KINDS = (
    alert_kinds.WORK_WAITS_FOR_LIMIT,
    alert_kinds.SUB_TASK_NEEDS_APPROVAL,
    alert_kinds.SUB_TASK_APPROVAL_ENDS,
)


@transaction.atomic
def tell_of_waits(*, now: datetime) -> None:
    """Raise alerts about what waits, each once, and resolve those about what does not any more."""
    told = Alert.objects.unresolved().filter(kind__in=[kind.slug for kind in _KINDS])
    left = set(told.values_list("dedup_key", flat=True))
    left -= _tell_of_limits(left, now=now)
    left -= _tell_of_gates(now=now)
    for key in left:
        alerts.resolve_by_key(key, actor=_ACTOR, note="It does not wait any more.", now=now)


def _tell_of_limits(told: Iterable[str], *, now: datetime) -> set[str]:
    """The keys of alerts about agents whose work waits for a limit; those not told yet are."""
    waiting = SubTask.objects.filter(
        status=SubTask.Status.WAITING,
        error_kind="no_capacity",
        waiting_since__lte=now - _TOLD_AFTER,
        task__status=Task.Status.ACTIVE,
    )
    # One of each agent and cost centre: that which has waited the longest.
    first = waiting.order_by("task__agent_id", "task__cost_centre_id", "waiting_since", "pk")
    one_each = first.distinct("task__agent_id", "task__cost_centre_id")
    keys = set()
    for each in one_each.select_related("task").defer("sealed_description")[:_MOST]:
        key = f"waits:{each.task.agent_id}:{each.task.cost_centre_id}"
        keys.add(key)
        if key not in told:
            alerts.raise_alert(
                kind=alert_kinds.WORK_WAITS_FOR_LIMIT,
                dedup_key=key,
                title=f"Work of {each.task.agent_id} waits for a limit",
                detail=each.error,
                facts={
                    "agent": each.task.agent_id,
                    "cost_centre": each.task.cost_centre_id,
                    "task": each.task_id,
                },
                agent_id=each.task.agent_id,
                now=now,
            )
    return keys


def _tell_of_gates(*, now: datetime) -> set[str]:
    """The keys of alerts about gates that are open; those not told yet are."""
    gates = SubTask.objects.filter(
        status=SubTask.Status.GATED, task__status=Task.Status.ACTIVE, waiting_since__isnull=False
    )
    rows = gates.select_related("task").defer("sealed_description").order_by("pk")[:_MOST]
    found = {_key(each): each for each in rows}
    raised = set(
        Alert.objects.filter(dedup_key__in=found).values_list("kind", "dedup_key") if found else []
    )
    for key, each in found.items():
        kind = _kind_now(each, now)
        # Also one that a person has resolved was told.
        if (kind.slug, key) not in raised:
            _tell_of_gate(each, kind, key, now=now)
    return set(found)


def _kind_now(gate: SubTask, now: datetime) -> AlertKind:
    if now < _ends_at(gate, _LATE_PART):
        return alert_kinds.SUB_TASK_NEEDS_APPROVAL
    return alert_kinds.SUB_TASK_APPROVAL_ENDS


def _ends_at(gate: SubTask, part: float = 1.0) -> datetime:
    since = gate.waiting_since or gate.not_before
    return since + timedelta(seconds=gate.task.approval_seconds * part)


def _key(gate: SubTask) -> str:
    return f"gate:{gate.pk}:{gate.waiting_since:%Y%m%d%H%M%S}"


def _tell_of_gate(gate: SubTask, kind: AlertKind, key: str, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=kind,
        dedup_key=key,
        title=f"A sub-task of {gate.task.name} waits for an approval",
        detail=f"The sub-task {gate.key} fails at {_ends_at(gate):%Y-%m-%d %H:%M} UTC, "
        "unless a person approves it before.",
        facts={"task": gate.task_id, "sub_task": gate.pk},
        agent_id=gate.task.agent_id,
        now=now,
    )
