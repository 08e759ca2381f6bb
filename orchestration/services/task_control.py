"""Control a task: cancel, pause, resume, retry it, or approve a sub-task."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from orchestration import planning
from orchestration.audit_actions import Action
from orchestration.models import Attempt, Dependency, SubTask, Task
from orchestration.refusals import (
    BudgetTooSmall,
    NothingToRetry,
    OwnApproval,
    SubTaskNotFound,
    SubTaskStarted,
    TaskCancelling,
    TaskEnded,
    TaskNotEnded,
    TaskNotFound,
    TaskTextsDeleted,
)
from orchestration.services.claim import spent_tokens
from orchestration.services.finish import advance_tasks, fail_sub_tasks
from orchestration.services.open_work import check_open_work
from orchestration.services.wakeup import wake
from security import audit
from security.actor import Actor, ActorKind

S = SubTask.Status


@transaction.atomic(durable=True)
def cancel(*, task_id: int, reason: str = "", actor: Actor, now: datetime) -> Task:
    """Cancel a task: nothing more starts, running attempts stop within seconds.

    Results so far are kept. Repeating the call changes nothing. Refusals: TaskNotFound, TaskEnded
    (unless it was cancelled).
    """
    task = _lock_task(task_id)
    if task.status in (Task.Status.CANCELLED, Task.Status.CANCELLING):
        return task
    _refuse_ended(task)
    before = _values(task)
    task.paused_at = None
    _set(task, Task.Status.CANCELLING, f"cancelled by {actor}")
    running = Attempt.objects.filter(task=task, status=Attempt.Status.RUNNING)
    running.update(cancel_asked_at=now)
    to_come = list(SubTask.objects.filter(task=task, status__in=SubTask.TO_COME))
    says = f"Cancelled by {actor}."
    fail_sub_tasks(to_come, kind="cancelled", says=says, now=now, status=S.CANCELLED)
    advance_tasks(tasks=[task.pk], now=now)
    task.refresh_from_db()
    _record(task, Action.TASK_CANCEL, before, reason=reason, actor=actor, now=now)
    return task


@transaction.atomic(durable=True)
def pause(*, task_id: int, actor: Actor, now: datetime) -> Task:
    """Pause a task: nothing more starts until it is resumed, running attempts continue.

    Repeating the call changes nothing.

    Refusals: TaskNotFound, TaskEnded, TaskCancelling.
    """
    task = _lock_task(task_id)
    if task.status == Task.Status.PAUSED:
        return task
    _refuse_ended(task)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    before = _values(task)
    task.paused_at = now
    _set(task, Task.Status.PAUSED, f"paused by {actor}")
    _record(task, Action.TASK_PAUSE, before, actor=actor, now=now)
    return task


@transaction.atomic(durable=True)
def resume(*, task_id: int, actor: Actor, now: datetime) -> Task:
    """Resume a paused task; its deadline moves by the time that it was paused.

    Repeating the call changes nothing.

    Refusals: TaskNotFound, TaskEnded, TaskCancelling.
    """
    task = _lock_task(task_id)
    if task.status == Task.Status.ACTIVE:
        return task
    _refuse_ended(task)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    before = _values(task)
    task.deadline_at += now - (task.paused_at or now)
    task.paused_at = None
    _set(task, Task.Status.ACTIVE, f"resumed by {actor}")
    SubTask.objects.filter(task=task, status=S.WAITING).update(waiting_since=now)
    _record(task, Action.TASK_RESUME, before, actor=actor, now=now)
    wake()
    return task


@transaction.atomic(durable=True)
def approve(*, task_id: int, key: str, reason: str = "", actor: Actor, now: datetime) -> SubTask:
    """Approve a sub-task, so that it can start as soon as its dependencies are done.

    Repeating the call changes nothing: who was first stays in `approved_by` and `approved_at`.

    Refusals: TaskNotFound, OwnApproval, SubTaskNotFound, TaskEnded, SubTaskStarted.
    """
    task = _lock_task(task_id)
    if (actor.kind, actor.name) == (ActorKind.AGENT, task.agent_id):
        raise OwnApproval(task_id=task_id)
    sub_task = SubTask.objects.filter(task=task, key=key).first()
    if sub_task is None:
        raise SubTaskNotFound(task_id=task_id, sub_task=key)
    if sub_task.approved_at:
        return sub_task
    if sub_task.status not in SubTask.TO_COME:
        _refuse_ended(task)
        raise SubTaskStarted(task_id=task_id, sub_task=key, status=sub_task.status)
    before = sub_task.status
    sub_task.approved_at, sub_task.approved_by = now, str(actor)
    sub_task.approved_reason = reason[:300]
    if sub_task.status == S.GATED:
        sub_task.status, sub_task.waiting_since, sub_task.not_before = S.WAITING, now, now
        wake()
    sub_task.save()
    audit.record(
        actor=actor,
        action=Action.SUB_TASK_APPROVE,
        subject=f"sub_task:{sub_task.pk}",
        related=[f"task:{task.pk}", f"agent:{task.agent_id}"],
        before={"status": before, "approved": False},
        after={"status": sub_task.status, "approved": True},
        reason=reason,
        at=now,
    )
    return sub_task


@transaction.atomic(durable=True)
def retry_failed(
    *,
    task_id: int,
    additional_budget: int = 0,
    idempotency_key: str | None = None,
    actor: Actor,
    now: datetime,
) -> Task:
    """Run failed and cancelled sub-tasks, and those that depend on them, once more.

    Succeeded sub-tasks stay as they are. The budget grows by `additional_budget` tokens; where the
    shares no longer fit into what is left of it, they are split again. Repeating the call with the
    idempotency key of the last retry changes nothing. Refusals: TaskNotFound, TaskNotEnded,
    NothingToRetry, TaskTextsDeleted, BudgetTooSmall, TooManyOpenTasks, TooManyOpenSubTasks.
    """
    task = _lock_task(task_id)
    if idempotency_key and task.retry_key == idempotency_key:
        return task
    if not task.is_over:
        raise TaskNotEnded(task_id=task_id, status=task.status)
    again = list(
        SubTask.objects.filter(task=task, position__gt=0, status__in=(S.FAILED, S.CANCELLED))
    )
    if not again:
        raise NothingToRetry(task_id=task_id)
    check_open_work(task.agent_id, sub_tasks=len(again))
    if task.texts_deleted_at:
        raise TaskTextsDeleted(task_id=task_id)
    before = _values(task)
    task.budget += additional_budget
    _share_out(task, again)
    _restart(again, now=now)
    task.ended_at, task.retry_key = None, idempotency_key or ""
    task.deadline_at = now + timedelta(seconds=task.timeout_seconds)
    _set(task, Task.Status.ACTIVE, f"retried by {actor}")
    _record(task, Action.TASK_RETRY, before, actor=actor, now=now)
    wake()
    return task


def _share_out(task: Task, again: list[SubTask]) -> None:
    """The shares of the sub-tasks, scaled to fit into what is left of the budget."""
    left = task.free
    if left < len(again) * planning.PART_TOKENS_MIN:
        raise BudgetTooSmall(
            f"The budget has {left:,} tokens left, too few for {len(again)} sub-tasks. Send "
            "additional_budget.",
            left=left,
            needed=len(again) * planning.PART_TOKENS_MIN,
        )
    # A share covers all attempts of a sub-task, so what earlier attempts used is added.
    spent = spent_tokens([one.pk for one in again])
    wanted = [one.share for one in again]
    for one, share in zip(again, planning.shares_within(wanted, total=left), strict=True):
        one.share = share + spent.get(one.pk, 0)


def _restart(again: list[SubTask], *, now: datetime) -> None:
    unmet = Dependency.objects.exclude(needs__status=S.SUCCEEDED)
    waits = set(unmet.filter(sub_task__in=again).values_list("sub_task", flat=True))
    for one in again:
        gated = one.needs_approval and not one.approved_at
        one.status = S.BLOCKED if one.pk in waits else S.GATED if gated else S.WAITING
        one.retries = one.recoveries = 0
        one.error_kind = one.error = ""
        one.sealed_result = None
        one.not_before = one.waiting_since = now
        one.ended_at = None
    columns = ("share", "status", "retries", "recoveries", "error_kind", "error", "sealed_result")
    SubTask.objects.bulk_update(
        again, [*columns, "not_before", "waiting_since", "ended_at"], batch_size=500
    )


def _lock_task(task_id: int) -> Task:
    locked = Task.objects.select_for_update(of=("self",), no_key=True)
    task = locked.filter(pk=task_id).first()
    if task is None:
        raise TaskNotFound(task_id=task_id)
    return task


def _refuse_ended(task: Task) -> None:
    if task.is_over:
        raise TaskEnded(task_id=task.pk, status=task.status)


def _set(task: Task, status: str, reason: str) -> None:
    task.status, task.status_reason = status, reason[:300]
    task.save()


def _values(task: Task) -> dict[str, Any]:
    """The fields of a task that people and agents can change, for the audit."""
    return {"status": task.status, "budget": task.budget, "deadline_at": task.deadline_at}


def _record(
    task: Task,
    action: Action,
    before: dict[str, Any],
    *,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"task:{task.pk}",
        related=[f"agent:{task.agent_id}", f"centre:{task.cost_centre_id}"],
        before=before,
        after=_values(task),
        reason=reason,
        at=now,
    )
