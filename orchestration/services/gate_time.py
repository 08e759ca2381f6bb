"""The time that a task waits for approvals does not count for the time that it may take."""

from datetime import datetime

from django.db.models import Min

from orchestration.models import SubTask, Task


def move_deadline(task: Task, *, now: datetime) -> None:
    """Move the deadline of a task by the time for which at least one of its gates was open.

    Call it before a gate closes; the caller has locked the task. Time in which several gates are
    open counts once: what has been counted ends with the `not_before` of those that stay open. The
    time of a pause is added when it ends.
    """
    until = task.paused_at or now
    gates = SubTask.objects.filter(
        task=task, status=SubTask.Status.GATED, not_before__lt=until
    ).order_by()
    since = gates.aggregate(since=Min("not_before"))["since"]
    if since is None:
        return
    task.deadline_at += until - since
    task.save(update_fields=["deadline_at"])
    gates.update(not_before=until)
