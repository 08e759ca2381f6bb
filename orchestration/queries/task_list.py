"""Lists of tasks: those of one state, one agent or one cost centre, with their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import (
    Case,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now

from common.statements import Statement, fetch_unprepared
from orchestration.models import Attempt, Task
from orchestration.queries.parts import corrections_by
from orchestration.queries.tasks import Progress, progress

# In the order in which people look at them.
STATES = ("running", "waiting", "failed", "done")
_ID_DIGITS_MAX = 18
_STATUS = Task.Status
_RUNS = Exists(Attempt.objects.filter(task=OuterRef("pk"), status=Attempt.Status.RUNNING))
_RANK = Case(
    When(Q(status=_STATUS.CANCELLING) | Q(_RUNS, status=_STATUS.ACTIVE), then=Value(0)),
    When(status__in=(_STATUS.ACTIVE, _STATUS.PAUSED), then=Value(1)),
    When(status__in=(_STATUS.FAILED, _STATUS.PARTIAL), then=Value(2)),
    default=Value(3),
)
# Those that have not ended are sorted as the longest.
_ENDLESS = timedelta(days=36_500)
_TOOK = Coalesce(
    ExpressionWrapper(F("ended_at") - F("created_at"), DurationField()), Value(_ENDLESS)
)
# By what lists can be sorted.
SORTED_BY = {
    "state": _RANK,
    "started": F("created_at"),
    "budget": F("budget"),
    "took": _TOOK,
}


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks a list shows; blank filters nothing. `cost_centre` includes those below it."""

    state: str = ""
    agent: str = ""
    cost_centre: str = ""
    words: str = ""

    def of(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        """Those of `tasks`."""
        if self.state:
            rank = STATES.index(self.state)
            tasks = tasks.alias(rank=_RANK).filter(rank=rank)
        if self.agent:
            tasks = tasks.filter(agent=self.agent)
        if self.cost_centre:
            tasks = tasks.filter(centres__contains=[self.cost_centre])
        return tasks.filter(_named(self.words)) if self.words else tasks


def _named(words: str) -> Q:
    is_id = words.isascii() and words.isdigit() and len(words) <= _ID_DIGITS_MAX
    return Q(name__icontains=words) | (Q(pk=int(words)) if is_id else Q())


def state_of(now: Progress) -> str:
    """The state of a task in one word: `running` or `waiting` while it is active."""
    if now.task.status != _STATUS.ACTIVE:
        return now.task.status
    return "running" if now.counts["running"] else "waiting"


class TaskNow(NamedTuple):
    """A task as a list shows it; `cost` in USD with all adjustments."""

    progress: Progress
    state: str
    cost: Decimal


def tasks_now(pks: Sequence[int]) -> list[TaskNow]:
    """These tasks, in this order; two queries."""
    corrections = corrections_by("task", pks)
    found = {each.task.pk: each for each in progress(pks)}
    return [
        TaskNow(now, state_of(now), now.cost + corrections.get(pk, 0))
        for pk in pks
        if (now := found.get(pk))
    ]


class TaskSums(NamedTuple):
    """What tasks add up to; `cost` in USD, the others in tokens, `lent` without what is used."""

    tasks: int
    budget: int
    used: int
    lent: int
    cost: Decimal


SUMS = Statement(
    """
    -- What the attempts of each task have used that are not finalized, and the cost of all.
    WITH spent AS (
        SELECT task_id, sum(tokens) FILTER (WHERE NOT is_final) AS live, sum(cost) AS cost
          FROM orchestration_attempt_usage
         WHERE task_id = ANY(%(tasks)s)
         GROUP BY task_id
    )
    SELECT count(*) AS tasks,
           coalesce(sum(t.budget), 0)::bigint AS budget,
           coalesce(sum(t.used + coalesce(s.live, 0)), 0)::bigint AS used,
           coalesce(sum(greatest(t.lent - coalesce(s.live, 0), 0)), 0)::bigint AS lent,
           coalesce(sum(s.cost), 0) AS cost
      FROM orchestration_task t LEFT JOIN spent s ON s.task_id = t.id
     WHERE t.id = ANY(%(tasks)s)
    """,
    TaskSums,
)


def task_sums(tasks: QuerySet[Task], *, most: int) -> TaskSums | None:
    """The sums of `tasks` with all adjustments; None if they are more than `most`. Three
    queries."""
    pks = list(tasks.order_by().values_list("pk", flat=True)[: most + 1])
    if len(pks) > most:
        return None
    (sums,) = fetch_unprepared(SUMS, tasks=pks)
    corrections = sum(corrections_by("task", pks).values(), Decimal(0))
    return sums._replace(cost=sums.cost + corrections)


def recently_ended(tasks: QuerySet[Task], *, within: timedelta, most: int) -> list[int]:
    """The ids of up to `most` of `tasks` that ended in this time, the latest first; one query."""
    ended = tasks.filter(ended_at__gte=Now() - within).order_by("-ended_at")
    return list(ended.values_list("pk", flat=True)[:most])
