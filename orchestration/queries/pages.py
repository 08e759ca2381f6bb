"""What the pages of people show of tasks.

Every function here is a fixed number of queries, whatever the number of tasks and sub-tasks.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Case, F, QuerySet, Sum, When
from django.db.models.functions import Coalesce, Left, Length

from common.statements import fetch_unprepared
from orchestration import sql
from orchestration.models import Attempt, SubTask, Task
from orchestration.queries.tasks import Progress, progress

_OPEN = (Task.Status.ACTIVE, Task.Status.PAUSED, Task.Status.CANCELLING)
_RESULT_CHARACTERS = 600


class Parts(NamedTuple):
    """The sub-tasks of a task, as a bar shows them."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    running: int
    gated: int

    @property
    def words(self) -> str:
        """`2 of 3 done, 1 failed`: what is not zero."""
        others = (
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("running", self.running),
            ("to approve", self.gated),
        )
        told = [f"{number:,} {what}" for what, number in others if number]
        return ", ".join([f"{self.succeeded:,} of {self.total:,} done", *told])


class LastResult(NamedTuple):
    """The beginning of the result that came last, and the sub-task it is of."""

    sub_task: int
    name: str
    text: str


class TaskLine(NamedTuple):
    """A task in a short list."""

    task: Task
    far: Progress
    parts: Parts
    last: LastResult | None


def parts_of(far: Progress) -> Parts:
    """As a bar shows them."""
    by = far.counts
    return Parts(far.total, **{name: by[name] for name in Parts._fields if name != "total"})


def open_tasks() -> QuerySet[Task]:
    """Those that have not ended, the newest first."""
    return Task.objects.filter(status__in=_OPEN).order_by("-pk")


def lively_tasks(*, most: int) -> list[TaskLine]:
    """Open tasks and, where there are few, the latest that ended; the newest first."""
    live = list(open_tasks().values_list("pk", flat=True)[:most])
    latest = Task.objects.order_by("-pk").values_list("pk", flat=True)[:most]
    chosen = [*live, *(pk for pk in latest if pk not in set(live))][:most]
    last = _last_results(chosen)
    by_task = {far.task.pk: far for far in progress(chosen)}
    found = [by_task[pk] for pk in chosen]
    return [TaskLine(far.task, far, parts_of(far), last.get(far.task.pk)) for far in found]


def _last_results(tasks: list[int]) -> dict[int, LastResult]:
    succeeded = SubTask.objects.filter(
        task__in=tasks, position__gt=0, status=SubTask.Status.SUCCEEDED
    )
    rows = (
        succeeded.order_by("task", "-ended_at", "-position")
        .distinct("task")
        .values_list("task", "pk", "name", Left("result", _RESULT_CHARACTERS))
    )
    return {task: LastResult(*rest) for task, *rest in rows}


def beginnings(task: Task, *, positions: list[int], characters: int) -> dict[int, SubTask]:
    """Sub-tasks by position: their `beginning` of a result, and how `long` all of it is."""
    rows = SubTask.objects.filter(task=task, position__in=positions).only("pk", "position", "task")
    found = rows.annotate(beginning=Left("result", characters), long=Length("result"))
    return {row.position: row for row in found}


def spent_by_sub_task(sub_tasks: Sequence[int]) -> dict[int, tuple[int, Decimal]]:
    """Tokens and cost (USD) of all attempts of each; what runs counts by its allocation."""
    live = {"finalized_at__isnull": True}
    tokens = When(**live, then=Coalesce(F("allocation__used"), 0))
    cost = When(**live, then=Coalesce(F("allocation__used_cost"), Decimal(0)))
    rows = (
        Attempt.objects.filter(sub_task__in=sub_tasks)
        .order_by()
        .values_list("sub_task")
        .annotate(
            all_tokens=Sum(Case(tokens, default=F("used_tokens")), default=0),
            all_cost=Sum(Case(cost, default=F("cost")), default=Decimal(0)),
        )
    )
    return {pk: (tokens, cost) for pk, tokens, cost in rows}


def spent_by_attempt(attempt: Attempt) -> tuple[int, Decimal]:
    """Its tokens and cost (USD) until now; the attempt comes with its allocation."""
    if attempt.finalized_at or attempt.allocation is None:
        return attempt.used_tokens, attempt.cost
    return attempt.allocation.used, attempt.allocation.used_cost


def running_by_scope() -> dict[str, int]:
    """How many attempts run now, by every scope that may have a limit."""
    return {each.scope: each.attempts for each in fetch_unprepared(sql.RUNNING)}
