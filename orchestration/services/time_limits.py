"""Time limits: fail sub-tasks that waited too long, and tasks that took too long; and tell people
of what waits for a limit or for an approval."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, Value

from orchestration.models import SubTask, Task
from orchestration.services.closed_scopes import note_waits
from orchestration.services.finish import fail_sub_tasks, lock_tasks
from orchestration.services.gate_time import move_deadline
from orchestration.services.waits import tell_of_waits

_MOST = 500
# The time during which a task is paused does not count.
_RUNNING = (Task.Status.ACTIVE, Task.Status.CANCELLING)


def sweep(*, now: datetime) -> int:
    """Fail sub-tasks that waited too long, and the rest of tasks past their deadline; raise and
    resolve the alerts about what waits.

    Returns the number of failed sub-tasks.
    """
    note_waits(now=now)
    failed = _end_overdue_tasks(now) + _end_long_waits(now) + _end_old_gates(now)
    tell_of_waits(now=now)
    return failed


@transaction.atomic(durable=True)
def _end_overdue_tasks(now: datetime) -> int:
    # The time in which a task waits for nothing but approvals does not count.
    sub_tasks = SubTask.objects.filter(task=OuterRef("pk"))
    only_gated = Exists(sub_tasks.filter(status="gated")) & ~Exists(
        sub_tasks.filter(status__in=("waiting", "running"))
    )
    late = Task.objects.filter(status__in=_RUNNING, deadline_at__lte=now).exclude(only_gated)
    overdue = late.order_by("pk")[:_MOST]
    tasks = lock_tasks([task.pk for task in overdue])
    left = SubTask.objects.filter(task__in=tasks, status__in=SubTask.TO_COME)
    found = list(left.filter(task__deadline_at__lte=now))
    if found:
        fail_sub_tasks(
            found, kind="task_timeout", says="The task exceeded its time limit.", now=now
        )
    return len(found)


def _end_long_waits(now: datetime) -> int:
    return _end_waits(
        "waiting",
        "task__waiting_seconds",
        kind="waited_too_long",
        says="The sub-task waited too long to start.",
        now=now,
    )


def _end_old_gates(now: datetime) -> int:
    return _end_waits(
        "gated",
        "task__approval_seconds",
        kind="approval_expired",
        says="The sub-task was not approved in time.",
        now=now,
    )


@transaction.atomic(durable=True)
def _end_waits(status: str, patience: str, *, kind: str, says: str, now: datetime) -> int:
    longest = ExpressionWrapper(
        F(patience) * Value(timedelta(seconds=1)), output_field=DurationField()
    )
    overdue = Q(status=status, task__status="active", waiting_since__lt=now - longest)
    found = list(SubTask.objects.filter(overdue).order_by("pk")[:_MOST])
    if not found:
        return 0
    tasks = lock_tasks({one.task_id for one in found})
    still = list(SubTask.objects.filter(overdue, pk__in=[one.pk for one in found]))
    for task_id in sorted({one.task_id for one in still}):
        move_deadline(tasks[task_id], now=now)
    if still:
        fail_sub_tasks(still, kind=kind, says=says, now=now)
    return len(still)
