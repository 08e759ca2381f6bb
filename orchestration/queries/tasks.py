"""The tasks that a bearer of a token may see, with their progress."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet

from common.statements import Statement, fetch_unprepared
from keys.identity.queries.credentials import Bearer
from orchestration.models import SubTask, Task
from orchestration.refusals import SubTaskNotFound, TaskNotFound
from orchestration.task_texts import TaskTexts, no_texts, texts_of

# May have a megabyte.
_LONG = ("sealed_description",)
_COLUMNS = ", ".join(
    f"t.{field.column}" for field in Task._meta.concrete_fields if field.column not in _LONG
)

# One statement, so that its numbers are of one moment. The planning step (position 0) is not
# counted as a sub-task.
_PROGRESS = f"""
-- Sub-tasks of each task by status, and when the first of them started.
WITH counted AS (
    SELECT task_id, jsonb_object_agg(status, n) AS by_status, min(started_at) AS started_at
      FROM (SELECT task_id, status, count(*) AS n, min(started_at) AS started_at
              FROM orchestration_subtask
             WHERE task_id = ANY(%(tasks)s) AND position > 0 GROUP BY task_id, status) AS s
     GROUP BY task_id
),
-- The attempts of each task: what those that are not finalized have used, and the cost of all.
spent AS (
    SELECT a.task_id,
           coalesce(sum(a.tokens) FILTER (WHERE NOT a.is_final), 0) AS live,
           sum(a.cost) AS cost,
           count(*) AS attempts
      FROM orchestration_attempt_usage a
     WHERE a.task_id = ANY(%(tasks)s)
     GROUP BY a.task_id
)
SELECT {_COLUMNS}, coalesce(c.by_status, '{{}}') AS by_status, c.started_at,
       coalesce(p.live, 0)::bigint AS live, coalesce(p.cost, 0) AS cost,
       coalesce(p.attempts, 0) AS attempts_made
  FROM orchestration_task t
  LEFT JOIN counted c ON c.task_id = t.id
  LEFT JOIN spent p ON p.task_id = t.id
 WHERE t.id = ANY(%(tasks)s)
 ORDER BY t.id DESC
"""  # noqa: S608 - names of columns


class SubTaskNow(NamedTuple):
    """A sub-task as it is now: `tokens` and `cost` (USD) of all its attempts, `session_id` and
    `api_key` of the last one. `not_before`: when it may start, None unless it waits."""

    position: int
    key: str
    name: str
    sealed_description: bytes | None
    status: str
    priority: str
    depends_on: list[str]
    estimated_tokens: int
    share: int
    runner: str
    model: str
    provider: str
    if_dependency_fails: str
    needs_approval: bool
    approved_at: datetime | None
    approved_by: str
    attempts: int
    retries: int
    error_kind: str
    error: str
    not_before: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    tokens: int
    cost: Decimal
    session_id: str
    api_key: str


_SUB_TASKS = Statement(
    """
    -- The requested sub-tasks.
    WITH page AS MATERIALIZED (
        SELECT * FROM orchestration_subtask
         WHERE task_id = %(task)s AND position > %(after_position)s
           AND (%(key)s::text IS NULL OR key = %(key)s)
           AND (%(status)s::text IS NULL OR status = %(status)s)
         ORDER BY position LIMIT %(most)s
    ),
    -- Of each, what all its attempts have used, and the session and the key of the last one.
    spent AS (
        SELECT a.sub_task_id,
               sum(a.tokens) AS tokens,
               sum(a.cost) AS cost,
               (array_agg(a.session_id ORDER BY a.number DESC))[1] AS session_id,
               (array_agg(a.api_key_id ORDER BY a.number DESC))[1] AS api_key
          FROM orchestration_attempt_usage a
         WHERE a.sub_task_id IN (SELECT id FROM page)
         GROUP BY a.sub_task_id
    ),
    -- The keys of the sub-tasks that each depends on.
    needed AS (
        SELECT d.sub_task_id, array_agg(n.key ORDER BY n.position) AS keys
          FROM orchestration_dependency d JOIN orchestration_subtask n ON n.id = d.needs_id
         WHERE d.sub_task_id IN (SELECT id FROM page)
         GROUP BY d.sub_task_id
    )
    SELECT s.position, s.key, s.name, s.sealed_description, s.status, s.priority,
           coalesce(n.keys, '{}') AS depends_on, s.estimated_tokens, s.share, s.runner, s.model,
           s.provider, s.if_dependency_fails, s.needs_approval, s.approved_at, s.approved_by,
           s.attempts_made AS attempts, s.retries, s.error_kind, s.error,
           CASE WHEN s.status = 'waiting' THEN s.not_before END AS not_before,
           s.started_at, s.ended_at, coalesce(p.tokens, 0)::bigint AS tokens,
           coalesce(p.cost, 0) AS cost, coalesce(p.session_id, '') AS session_id,
           coalesce(p.api_key, '') AS api_key
      FROM page s
      LEFT JOIN spent p ON p.sub_task_id = s.id
      LEFT JOIN needed n ON n.sub_task_id = s.id
     ORDER BY s.position
    """,
    SubTaskNow,
)


class _TaskNow(NamedTuple):
    """What _PROGRESS adds to the columns of a task: sub-tasks by status (JSON), when the first one
    started, tokens of attempts that are not finalized, cost (USD) and number of all attempts."""

    by_status: str
    started_at: datetime | None
    live: int
    cost: Decimal
    attempts_made: int


class Progress:
    """The progress of a task at one moment: `used`, `lent` and `left` are tokens and add up to its
    budget, unless it was overrun; `cost` is in US dollars; `counts` are sub-tasks by status."""

    def __init__(self, task: Task, now: _TaskNow) -> None:
        self.task = task
        by_status = json.loads(now.by_status)
        self.counts = {status: by_status.get(status, 0) for status in SubTask.Status.values}
        self.total = sum(self.counts.values())
        self.started_at = now.started_at
        self.attempts = now.attempts_made
        self.cost = now.cost
        self.used = task.used + now.live
        self.lent = max(task.lent - now.live, 0)
        self.left = task.free

    @property
    def percent_done(self) -> float:
        """The percentage of sub-tasks that have ended, with one decimal place."""
        ended = self.total - sum(self.counts[status] for status in SubTask.OPEN)
        return round(100 * ended / self.total, 1) if self.total else 0.0


def visible_tasks(bearer: Bearer) -> QuerySet[Task]:
    """The tasks that the bearer may read: those of its agent, or all."""
    return Task.objects.all() if bearer.sees_all else Task.objects.filter(agent=bearer.agent)


def visible_task(task_id: int, *, bearer: Bearer) -> Task:
    """A task that the bearer may read. Refusals: TaskNotFound, also for a task of another agent."""
    return _one(visible_tasks(bearer), task_id)


def readable_texts(task: Task, *, bearer: Bearer) -> TaskTexts:
    """The texts of a task, if the agent of the bearer submitted it; to all others they are empty.

    Refusal: CannotUnseal.
    """
    return texts_of(task) if task.agent_id == bearer.agent else no_texts(task)


def own_task_id(task_id: int, *, bearer: Bearer) -> int:
    """The id of a task that the bearer may change: one of its own agent, even if it may read all.

    Refusals: TaskNotFound.
    """
    return _one(Task.objects.filter(agent=bearer.agent), task_id).pk


def _one(tasks: QuerySet[Task], task_id: int) -> Task:
    task = tasks.defer(*_LONG).filter(pk=task_id).first()
    if task is None:
        raise TaskNotFound(task_id=task_id)
    return task


def progress(tasks: Sequence[int]) -> list[Progress]:
    """The progress of these tasks, the newest first, in one query."""
    found = Task.objects.raw(_PROGRESS, {"tasks": list(tasks)})
    return [
        Progress(task, _TaskNow(*(getattr(task, name) for name in _TaskNow._fields)))
        for task in found
    ]


def sub_tasks_now(
    task: Task, *, after: int = 0, most: int, status: str | None = None, key: str | None = None
) -> list[SubTaskNow]:
    """Up to `most` sub-tasks after the position `after`, in the order of the plan; one query."""
    return fetch_unprepared(
        _SUB_TASKS, task=task.pk, after_position=after, most=most, status=status, key=key
    )


def sub_task_now(task: Task, key: str) -> SubTaskNow:
    """The sub-task with this key. Refusals: SubTaskNotFound."""
    found = sub_tasks_now(task, most=1, key=key)
    if not found:
        raise SubTaskNotFound(task_id=task.pk, sub_task=key)
    return found[0]
