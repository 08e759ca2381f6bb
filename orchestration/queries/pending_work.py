"""Whether there is anything for a worker to do."""

from datetime import datetime, timedelta

from django.db.models import Q

from orchestration.models import Attempt, SubTask, Task


def is_work_due(*, now: datetime, within: timedelta) -> bool:
    """Whether something waits to begin, runs, or must be finalized, within that time."""
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
