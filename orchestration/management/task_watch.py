"""The progress of one task, read again and again until it has ended."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from common import links
from common.public_urls import absolute
from orchestration.models import SubTask, Task
from orchestration.queries.pages import SubTaskCounts, sub_task_counts
from orchestration.queries.results import SubTaskResult, results
from orchestration.queries.tasks import Progress, progress

# When no sub-task has started by then, probably no worker is running.
_START_EXPECTED_WITHIN = timedelta(seconds=10)


class TaskSnapshot(NamedTuple):
    """A task at one moment. `details`: its sub-tasks, after the planning step if there is one."""

    progress: Progress
    counts: SubTaskCounts
    details: list[SubTaskResult]

    @property
    def task(self) -> Task:
        """The row of the task."""
        return self.progress.task


def task_snapshot(task_id: int) -> TaskSnapshot:
    """The task as it is now."""
    [now] = progress([task_id])
    found = results(now.task)
    return TaskSnapshot(now, sub_task_counts(now), [*found.planning, *found.details])


def task_snapshots(task_id: int, *, pause: Callable[[], None]) -> Iterator[TaskSnapshot]:
    """Snapshots with a `pause` between them; the last one is of the ended task."""
    while True:
        snapshot = task_snapshot(task_id)
        yield snapshot
        if snapshot.task.is_over:
            return
        pause()


def page_address(kind: str, pk: int) -> str:
    """The absolute URL of the page of a row; `kind`: a name in the table of links."""
    return absolute(links.url(kind, pk))


def hint(snapshot: TaskSnapshot) -> str:
    """What a person has to do so that the task continues; empty if nothing."""
    task = snapshot.task
    page = page_address("task", task.pk)
    if task.status == Task.Status.PAUSED:
        return f"The task is paused ({task.status_reason}). Resume it at {page}"
    waits = any(each.status == SubTask.Status.WAITING for each in snapshot.details)
    if snapshot.counts.gated and not snapshot.counts.running and not waits:
        return f"The task waits until a person approves a sub-task: {page}"
    started = any(each.started_at for each in snapshot.details)
    if waits and not started and timezone.now() - task.created_at > _START_EXPECTED_WITHIN:
        return "No sub-task has started yet. Check that `make up` or `manage.py work` is running."
    return ""
