"""Close the allocations of ended attempts, and record what the attempts really used."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from alerts import services as alerts
from common.statements import fetch_unprepared
from keys import services as keys
from keys.refusals import AllocationClosed
from orchestration import alert_kinds, sql
from orchestration.models import Attempt, Task
from orchestration.services.finish import lock_tasks
from security.actor import Actor

ORCHESTRATOR = Actor.job("orchestrator")


def finalize(*, attempts: Sequence[int] | None = None, most: int = 200, now: datetime) -> int:
    """Close the allocations of ended attempts, and finalize the attempts without held calls.

    `attempts`: ids; None means all that have ended and are not final. Returns how many of them
    were found. Repeating the call changes nothing.
    """
    ids = None if attempts is None else list(attempts)
    left = fetch_unprepared(sql.NOT_FINALIZED, attempts=ids, most=most)
    for each in left:
        if each.allocation_id:
            _close(each.allocation_id, each.status, each.error_kind, now=now)
    if left:
        _finalize([each.attempt_id for each in left], now=now)
    return len(left)


def _close(allocation: int, status: str, kind: str, *, now: datetime) -> None:
    try:
        if status == Attempt.Status.SUCCEEDED:
            keys.complete(allocation_id=allocation, actor=ORCHESTRATOR, now=now)
        else:
            keys.fail(allocation_id=allocation, reason=kind, actor=ORCHESTRATOR, now=now)
    except AllocationClosed:
        # It expired or was used up in between, so it is closed already.
        return


@transaction.atomic(durable=True)
def _finalize(attempts: list[int], *, now: datetime) -> None:
    tasks = lock_tasks(Attempt.objects.filter(pk__in=attempts).values("task_id"))
    written = fetch_unprepared(sql.FINALIZE, attempts=attempts, now=now)
    changed = [each.task_id for each in written]
    for task in Task.objects.filter(pk__in=changed, status=Task.Status.ACTIVE):
        _pause_at_soft_limit(task, before=tasks[task.pk].used, now=now)


def _pause_at_soft_limit(task: Task, *, before: int, now: datetime) -> None:
    """Pause a task that has just reached its soft limit; a person has to resume it."""
    if not task.soft_limit or not before < task.soft_limit <= task.used:
        return
    says = f"{task.used:,} of {task.budget:,} tokens are used; resume it to continue."
    Task.objects.filter(pk=task.pk).update(
        status=Task.Status.PAUSED, status_reason=says, paused_at=now
    )
    alerts.raise_alert(
        kind=alert_kinds.TASK_AT_SOFT_LIMIT,
        dedup_key=f"task:{task.pk}:soft_limit",
        title=f"Task {task.name} waits at its soft limit",
        detail=says,
        facts={"task": task.pk, "used": task.used, "budget": task.budget},
        agent_id=task.agent_id,
        now=now,
    )
