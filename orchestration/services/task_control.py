"""Control a task: cancel, pause or resume it, or approve a sub-task."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from orchestration.audit_actions import Action
from orchestration.models import Attempt, SubTask, Task
from orchestration.refusals import (
    TaskCancelling,
    TaskEnded,
    TaskNotFound,
)
from orchestration.services.finish import advance_tasks, fail_sub_tasks
from orchestration.services.wakeup import wake
from security import audit
from security.actor import Actor

S = SubTask.Status


@transaction.atomic(durable=True)
def cancel(*, task_id: int, reason: str = "", actor: Actor, now: datetime) -> Task:
    """Cancel a task: nothing more starts, running attempts stop within seconds.

    Results so far are kept. Repeating the call changes nothing. Refusals: TaskNotFound, TaskEnded
    (unless it was cancelled).
    """
    task = lock_task(task_id)
    if task.status in (Task.Status.CANCELLED, Task.Status.CANCELLING):
        return task
    refuse_ended(task)
    before = audited_values(task)
    task.paused_at = None
    set_status(task, Task.Status.CANCELLING, f"cancelled by {actor}")
    running = Attempt.objects.filter(task=task, status=Attempt.Status.RUNNING)
    running.update(cancel_asked_at=now)
    to_come = list(SubTask.objects.filter(task=task, status__in=SubTask.TO_COME))
    says = f"Cancelled by {actor}."
    fail_sub_tasks(to_come, kind="cancelled", says=says, now=now, status=S.CANCELLED)
    advance_tasks(tasks=[task.pk], now=now)
    task.refresh_from_db()
    record(task, Action.TASK_CANCEL, before, reason=reason, actor=actor, now=now)
    return task


@transaction.atomic(durable=True)
def pause(*, task_id: int, reason: str = "", actor: Actor, now: datetime) -> Task:
    """Pause a task: nothing more starts until it is resumed, running attempts continue.

    Repeating the call changes nothing.

    Refusals: TaskNotFound, TaskEnded, TaskCancelling.
    """
    task = lock_task(task_id)
    if task.status == Task.Status.PAUSED:
        return task
    refuse_ended(task)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    before = audited_values(task)
    task.paused_at = now
    set_status(task, Task.Status.PAUSED, f"paused by {actor}")
    record(task, Action.TASK_PAUSE, before, reason=reason, actor=actor, now=now)
    return task


@transaction.atomic(durable=True)
def resume(*, task_id: int, reason: str = "", actor: Actor, now: datetime) -> Task:
    """Resume a paused task; its deadline moves by the time that it was paused.

    Repeating the call changes nothing.

    Refusals: TaskNotFound, TaskEnded, TaskCancelling.
    """
    task = lock_task(task_id)
    if task.status == Task.Status.ACTIVE:
        return task
    refuse_ended(task)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    before = audited_values(task)
    paused_at = task.paused_at or now
    task.deadline_at += now - paused_at
    task.paused_at = None
    set_status(task, Task.Status.ACTIVE, f"resumed by {actor}")
    # The time for an approval stands still too.
    at_gates = SubTask.objects.filter(task=task, status=S.GATED, waiting_since__isnull=False)
    at_gates.update(
        **{
            since: F(since) + (now - Greatest(since, paused_at))
            for since in ("waiting_since", "not_before")
        }
    )
    SubTask.objects.filter(task=task, status=S.WAITING).update(waiting_since=now)
    record(task, Action.TASK_RESUME, before, reason=reason, actor=actor, now=now)
    wake()
    return task


def lock_task(task_id: int) -> Task:
    """The task, locked until commit. Refusal: TaskNotFound."""
    locked = Task.objects.select_for_update(of=("self",), no_key=True)
    task = locked.filter(pk=task_id).first()
    if task is None:
        raise TaskNotFound(task_id=task_id)
    return task


def refuse_ended(task: Task) -> None:
    """Refuse what only an unfinished task allows. Refusal: TaskEnded."""
    if task.is_over:
        raise TaskEnded(task_id=task.pk, status=task.status)


def set_status(task: Task, status: str, reason: str) -> None:
    """Save the task with this status and why it has it."""
    task.status, task.status_reason = status, reason[:300]
    task.save()


def audited_values(task: Task) -> dict[str, Any]:
    """The fields of a task that people and agents can change, for the audit."""
    return {
        "status": task.status,
        "budget": task.budget,
        "priority": task.priority,
        "deadline_at": task.deadline_at,
    }


def record(
    task: Task,
    action: Action,
    before: dict[str, Any],
    *,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> None:
    """Record what somebody did to a task, with what it changed."""
    audit.record(
        actor=actor,
        action=action,
        subject=f"task:{task.pk}",
        related=[f"agent:{task.agent_id}", f"centre:{task.cost_centre_id}"],
        before=before,
        after=audited_values(task),
        reason=reason,
        at=now,
    )
