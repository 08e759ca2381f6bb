"""Change which of an agent's tasks start first, also while the task runs."""

from datetime import datetime

from django.db import transaction

from orchestration.audit_actions import Action
from orchestration.models import Task
from orchestration.refusals import TaskCancelling
from orchestration.services.task_control import audited_values, lock_task, record, refuse_ended
from orchestration.services.task_request import check_priority
from orchestration.services.wakeup import wake
from security.actor import Actor


@transaction.atomic(durable=True)
def set_priority(
    *, task_id: int, priority: str, reason: str = "", actor: Actor, now: datetime
) -> Task:
    """Give a task another priority. It counts for sub-tasks that have not started; running ones
    go on.

    Repeating the call changes nothing. Refusals: WrongValue, TaskNotFound, TaskEnded,
    TaskCancelling.
    """
    check_priority(priority)
    task = lock_task(task_id)
    refuse_ended(task)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    if task.priority == priority:
        return task
    before = audited_values(task)
    task.priority = priority
    task.save(update_fields=["priority"])
    record(task, Action.TASK_SET_PRIORITY, before, reason=reason, actor=actor, now=now)
    wake()
    return task
