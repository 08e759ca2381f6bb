"""Tasks that are not finished are open work of their agent and their cost centre."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from keys.books.queries import open_work
from keys.books.queries.open_work import OtherWork, Part
from orchestration.models import Task
from orchestration.refusals import TaskEnded
from orchestration.services.task_control import cancel
from security.actor import Actor


class Tasks:
    """Finds tasks that still start attempts, and cancels them."""

    noun = "task"

    def find(self, part: Part) -> Sequence[OtherWork]:
        """Tasks that can still start something; those that are being cancelled cannot."""
        tasks = Task.objects.filter(part.paid_or_spent_by(), ended_at=None)
        found = tasks.exclude(status=Task.Status.CANCELLING).order_by("pk")
        return [OtherWork(*row) for row in found.values_list("pk", "name")]

    def end(self, work: OtherWork, *, reason: str, actor: Actor, now: datetime) -> None:
        """Cancel the task, unless it has ended: running attempts stop within seconds."""
        with suppress(TaskEnded):
            cancel(task_id=work.id, reason=reason, actor=actor, now=now)


open_work.register(Tasks())
