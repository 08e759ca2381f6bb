"""A task under way, looked at again and again."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from common import links
from orchestration.models import SubTask, Task
from orchestration.queries.pages import Parts, parts_of
from orchestration.queries.results import Detail, results
from orchestration.queries.tasks import Progress, progress

_PATIENCE = timedelta(seconds=10)


class Look(NamedTuple):
    """A task at one moment; `details`: the planner's own part first, if there is one."""

    far: Progress
    parts: Parts
    details: list[Detail]

    @property
    def task(self) -> Task:
        """The row."""
        return self.far.task


def look(task_id: int) -> Look:
    """At the task as it is now."""
    [far] = progress([task_id])
    found = results(far.task, with_text=False)
    return Look(far, parts_of(far), [*found.planning, *found.details])


def looks(task_id: int, *, pause: Callable[[], None]) -> Iterator[Look]:
    """Look, pause, look again; the last look is at the ended task."""
    while True:
        now = look(task_id)
        yield now
        if now.task.is_over:
            return
        pause()


def address(kind: str, pk: int) -> str:
    """The page of a row; `kind` as in the table of links."""
    return settings.PUBLIC_URL + links.url(kind, pk)


def hint(seen: Look) -> str:
    """What somebody must do before it goes on; empty if nothing."""
    task = seen.task
    if task.status == Task.Status.PAUSED:
        return f"It is paused ({task.status_reason}); resume it at {address('task', task.pk)}"
    waits = any(each.status == SubTask.Status.WAITING for each in seen.details)
    if seen.parts.gated and not seen.parts.running and not waits:
        return f"It waits for somebody to approve: {address('task', task.pk)}"
    begun = any(each.started_at for each in seen.details)
    if waits and not begun and timezone.now() - task.created_at > _PATIENCE:
        return "Nothing has begun yet. Is `make up` (or `manage.py work`) running?"
    return ""
