"""Whether workers have anything to do."""

from datetime import datetime, timedelta

from django.db.models import Q

from orchestration.models import Attempt, SubTask, Task


def is_work_due(*, now: datetime, within: timedelta) -> bool:
    """Whether a sub-task can start, an attempt runs or is not finalized, or a task is overdue.

    `within`: how far ahead of `now` start times and deadlines count.
    """
    waiting = SubTask.objects.filter(
        status=SubTask.Status.WAITING,
        task__status=Task.Status.ACTIVE,
        not_before__lte=now + within,
    )
    unfinished = Attempt.objects.filter(
        Q(status=Attempt.Status.RUNNING) | Q(finalized_at__isnull=True)
    )
    overdue = Task.objects.filter(
        status__in=(Task.Status.ACTIVE, Task.Status.CANCELLING), deadline_at__lte=now + within
    )
    return waiting.exists() or unfinished.exists() or overdue.exists()
