"""Time limits: fail sub-tasks that waited too long, and tasks that took too long."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value

from orchestration.models import SubTask, Task
from orchestration.services.finish import fail_sub_tasks, lock_tasks

_MOST = 500
# The time during which a task is paused does not count.
_RUNNING = (Task.Status.ACTIVE, Task.Status.CANCELLING)


def sweep(*, now: datetime) -> int:
    """Fail sub-tasks that waited too long, and the rest of tasks past their deadline.

    Returns the number of failed sub-tasks.
    """
    return _end_overdue_tasks(now) + _end_long_waits(now)


@transaction.atomic(durable=True)
def _end_overdue_tasks(now: datetime) -> int:
    overdue = Task.objects.filter(status__in=_RUNNING, deadline_at__lte=now).order_by("pk")[:_MOST]
    tasks = lock_tasks([task.pk for task in overdue])
    left = SubTask.objects.filter(task__in=tasks, status__in=SubTask.TO_COME)
    found = list(left.filter(task__deadline_at__lte=now))
    if found:
        fail_sub_tasks(
            found, kind="task_timeout", says="The task exceeded its time limit.", now=now
        )
    return len(found)


@transaction.atomic(durable=True)
def _end_long_waits(now: datetime) -> int:
    patience = ExpressionWrapper(
        F("task__waiting_seconds") * Value(timedelta(seconds=1)), output_field=DurationField()
    )
    overdue = Q(status="waiting", task__status="active", waiting_since__lt=now - patience)
    found = list(SubTask.objects.filter(overdue).order_by("pk")[:_MOST])
    if not found:
        return 0
    lock_tasks({one.task_id for one in found})
    says = "The sub-task waited too long to start."
    still = list(SubTask.objects.filter(overdue, pk__in=[one.pk for one in found]))
    if still:
        fail_sub_tasks(still, kind="waited_too_long", says=says, now=now)
    return len(still)
