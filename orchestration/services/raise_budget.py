"""Raise the budget of a task, also while it runs."""

from datetime import datetime

from django.db import transaction

from orchestration import planning
from orchestration.audit_actions import Action
from orchestration.models import SubTask, Task
from orchestration.refusals import TaskCancelling
from orchestration.services.keyed_changes import is_repeated
from orchestration.services.retry import failed_sub_tasks, reopen, restart, with_dependencies
from orchestration.services.task_control import audited_values, lock_task, record
from orchestration.services.wakeup import wake
from security.actor import Actor

S = SubTask.Status
_USED_UP = "budget_exhausted"


@transaction.atomic(durable=True)
def raise_budget(
    *,
    task_id: int,
    additional_budget: int,
    idempotency_key: str | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Task:
    """Add tokens to the budget of a task. They are for the sub-tasks that had used up their share:
    those that failed for that start again, with those that only wait for them, and so does the
    task if it had ended. If none had, they are for those that run or have not started; one that
    runs and uses up its share after that starts again, also where failures are not retried.

    Repeating the call with its idempotency key changes nothing. Refusals: TaskNotFound,
    TaskCancelling, IdempotencyMismatch, and those of `restart`.
    """
    task = lock_task(task_id)
    if is_repeated(task, idempotency_key, request=f"budget {additional_budget}"):
        return task
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    before = audited_values(task)
    task.add_to_budget(additional_budget)
    task.budget_raised_at = now
    again = _used_up(task)
    if again:
        restart(task, again, now=now)
        reopen(task, f"its budget was raised by {actor}", now=now)
        wake()
    else:
        task.save()
        _add_to_shares(task, additional_budget)
    record(task, Action.TASK_RAISE_BUDGET, before, reason=reason, actor=actor, now=now)
    return task


def _used_up(task: Task) -> list[SubTask]:
    """Those that failed with their share used up, and those that only wait for them."""
    failed = failed_sub_tasks(task)
    ids = [one.pk for one in failed]
    chosen: set[int] = set()
    for one in failed:
        if one.error_kind == _USED_UP:
            chosen |= with_dependencies(one.pk, ids)
    return [one for one in failed if one.pk in chosen]


def _add_to_shares(task: Task, tokens: int) -> None:
    """Split tokens among those that have not ended, first among those whose share is used up."""
    to_come = list(
        SubTask.objects.filter(task=task, status__in=SubTask.OPEN, position__gt=0)
        .only("share", "error_kind", "task_id")
        .order_by("position")
    )
    some = [one for one in to_come if one.error_kind == _USED_UP] or to_come
    if not some or tokens < len(some):
        return
    parts = planning.shares_within([one.share * tokens for one in some], total=tokens)
    for one, more in zip(some, parts, strict=True):
        one.share += more
    SubTask.objects.bulk_update(some, ["share"], batch_size=500)
