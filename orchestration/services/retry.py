"""Retry what failed of a task that has ended: everything, or one sub-task."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction

from orchestration import planning
from orchestration.audit_actions import Action
from orchestration.models import Dependency, SubTask, Task
from orchestration.refusals import (
    BudgetTooSmall,
    NothingToRetry,
    SubTaskNotFound,
    TaskNotEnded,
    TaskTextsDeleted,
)
from orchestration.services.claim import spent_tokens
from orchestration.services.open_work import check_open_work
from orchestration.services.task_control import (
    audited_values,
    lock_task,
    record,
    set_status,
)
from orchestration.services.wakeup import wake
from security.actor import Actor

S = SubTask.Status


@transaction.atomic(durable=True)
def retry_failed(
    *,
    task_id: int,
    key: str | None = None,
    additional_budget: int = 0,
    idempotency_key: str | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Task:
    """Run failed and cancelled sub-tasks, and those that depend on them, once more.

    `key`: only this sub-task, those that it needs, and those that only wait for these; None: all.
    Succeeded sub-tasks stay as they are. The budget grows by `additional_budget` tokens; where the
    shares no longer fit into what is left of it, they are split again. Repeating the call with the
    idempotency key of the last retry changes nothing. Refusals: TaskNotFound, TaskNotEnded,
    SubTaskNotFound, NothingToRetry, TaskTextsDeleted, BudgetTooSmall, TooManyOpenTasks,
    TooManyOpenSubTasks.
    """
    task = lock_task(task_id)
    if idempotency_key and task.retry_key == idempotency_key:
        return task
    if not task.is_over:
        raise TaskNotEnded(task_id=task_id, status=task.status)
    again = _failed(task, key)
    check_open_work(task.agent_id, sub_tasks=len(again))
    if task.texts_deleted_at:
        raise TaskTextsDeleted(task_id=task_id)
    before = audited_values(task)
    task.budget += additional_budget
    _share_out(task, again)
    _restart(again, now=now)
    task.ended_at, task.retry_key = None, idempotency_key or ""
    task.deadline_at = now + timedelta(seconds=task.timeout_seconds)
    set_status(task, Task.Status.ACTIVE, f"retried by {actor}")
    record(task, Action.TASK_RETRY, before, reason=reason, actor=actor, now=now)
    wake()
    return task


def _failed(task: Task, key: str | None) -> list[SubTask]:
    """The failed and cancelled sub-tasks, or those of them that a retry of one takes along."""
    failed = SubTask.objects.filter(
        task=task, position__gt=0, status__in=(S.FAILED, S.CANCELLED)
    ).defer("sealed_description", "sealed_result")
    again = list(failed)
    if key is not None:
        part = SubTask.objects.filter(task=task, key=key).values_list("pk", flat=True).first()
        if part is None:
            raise SubTaskNotFound(task_id=task.pk, sub_task=key)
        chosen = _with_dependencies(part, [one.pk for one in again])
        again = [one for one in again if one.pk in chosen]
    if not again:
        raise NothingToRetry(task_id=task.pk)
    return again


def _with_dependencies(part: int, failed: list[int]) -> set[int]:
    """The one of `failed`, the failed ones that it needs, and those that only wait for these.

    Ids of sub-tasks. A sub-task that needs another failed one could never start, so it is left out.
    """
    if part not in failed:
        return set()
    needs: dict[int, set[int]] = {one: set() for one in failed}
    among = Dependency.objects.filter(sub_task__in=failed, needs__in=failed)
    for one, needed in among.values_list("sub_task", "needs"):
        needs[one].add(needed)
    chosen, left = set[int](), [part]
    while left:
        one = left.pop()
        chosen.add(one)
        left += needs[one] - chosen
    return chosen | _only_waiting_for(chosen, needs)


def _only_waiting_for(chosen: set[int], needs: dict[int, set[int]]) -> set[int]:
    """Those that need some of `chosen` and, directly or through others, nothing else."""
    dependents = defaultdict(set)
    for one, needed in needs.items():
        for each in needed:
            dependents[each].add(one)
    found, left = set[int](), list(chosen)
    while left:
        for one in dependents[left.pop()] - found - chosen:
            if needs[one] <= found | chosen:
                found.add(one)
                left.append(one)
    return found


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
