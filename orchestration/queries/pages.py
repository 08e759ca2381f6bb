"""What the admin and the dashboard show of tasks.

Every function here is a fixed number of queries, independent of the number of tasks and sub-tasks.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Length

from common.statements import Statement, fetch_unprepared
from orchestration.models import Attempt, SubTask, Task
from orchestration.queries.tasks import Progress, progress

_OPEN = (Task.Status.ACTIVE, Task.Status.PAUSED, Task.Status.CANCELLING)


class SubTaskCounts(NamedTuple):
    """How many sub-tasks a task has, and how many of them have each status that a bar shows."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    running: int
    gated: int

    @property
    def summary(self) -> str:
        """A text such as `2 of 3 done, 1 failed`; statuses that no sub-task has are left out."""
        others = (
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("running", self.running),
            ("to approve", self.gated),
        )
        present = [f"{number:,} {what}" for what, number in others if number]
        return ", ".join([f"{self.succeeded:,} of {self.total:,} done", *present])


class TaskLine(NamedTuple):
    """A task in a short list."""

    task: Task
    progress: Progress
    counts: SubTaskCounts


def sub_task_counts(now: Progress) -> SubTaskCounts:
    """The counts that a bar shows, from the progress of a task."""
    names = [name for name in SubTaskCounts._fields if name != "total"]
    return SubTaskCounts(now.total, **{name: now.counts[name] for name in names})


def open_tasks(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Those of `tasks` that have not ended, the newest first."""
    return tasks.filter(status__in=_OPEN).order_by("-pk")


def open_task_lines(tasks: QuerySet[Task], *, most: int) -> list[TaskLine]:
    """Up to `most` of the open ones of `tasks`, the newest first; two queries."""
    open_ids = list(open_tasks(tasks).values_list("pk", flat=True)[:most])
    return [TaskLine(each.task, each, sub_task_counts(each)) for each in progress(open_ids)]


def sealed_results(task: Task, *, positions: list[int]) -> dict[int, tuple[int, int | None]]:
    """The id of each sub-task by position, and the size of its result when sealed, in bytes."""
    rows = SubTask.objects.filter(task=task, position__in=positions)
    found = rows.values_list("position", "pk", Length("sealed_result"))
    return {position: (pk, size) for position, pk, size in found}


class _Spending(NamedTuple):
    """The tokens and cost (USD) of all attempts of a sub-task."""

    sub_task_id: int
    tokens: int
    cost: Decimal


SPENDING = Statement(
    """
    SELECT sub_task_id, sum(tokens)::bigint AS tokens, sum(cost) AS cost
      FROM orchestration_attempt_usage
     WHERE sub_task_id = ANY(%(sub_tasks)s)
     GROUP BY sub_task_id
    """,
    _Spending,
)


def spent_by_sub_task(sub_tasks: Sequence[int]) -> dict[int, tuple[int, Decimal]]:
    """The tokens and cost (USD) of all attempts by sub-task id; without attempts, no entry."""
    rows = fetch_unprepared(SPENDING, sub_tasks=list(sub_tasks))
    return {row.sub_task_id: (row.tokens, row.cost) for row in rows}


def spent_by_attempt(attempt: Attempt) -> tuple[int, Decimal]:
    """The tokens and cost (USD) of an attempt until now; it was loaded with its allocation."""
    if attempt.finalized_at or attempt.allocation is None:
        return attempt.used_tokens, attempt.cost
    return attempt.allocation.used, attempt.allocation.used_cost
