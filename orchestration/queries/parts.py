"""The parts of a task for its page: sub-tasks with what they used, their graph and attempts.

Every function here is a fixed number of queries, independent of the number of parts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import F, QuerySet, Sum

from common.statements import Statement, fetch_unprepared
from orchestration.models import Attempt, Dependency, SubTask, Task


class Part(NamedTuple):
    """A sub-task without its texts: `tokens` and `cost` (USD) of all its attempts, `api_key` of the
    last one; `result_bytes`: the size of its sealed result, None if it has none."""

    pk: int
    position: int
    key: str
    name: str
    status: str
    needs_approval: bool
    approved_at: datetime | None
    share: int
    attempts: int
    error_kind: str
    error: str
    started_at: datetime | None
    ended_at: datetime | None
    result_bytes: int | None
    tokens: int
    cost: Decimal
    api_key: str


PARTS = Statement(
    """
    -- The requested sub-tasks.
    WITH page AS MATERIALIZED (
        SELECT id, position, key, name, status, needs_approval, approved_at, share, attempts_made,
               error_kind, left(error, 300) AS error, started_at, ended_at,
               octet_length(sealed_result) AS result_bytes
          FROM orchestration_subtask
         WHERE task_id = %(task)s AND position > %(after_position)s
           AND (%(status)s::text IS NULL OR status = %(status)s)
         ORDER BY position LIMIT %(most)s
    ),
    -- Of each, what all its attempts have used, and the key of the last one.
    spent AS (
        SELECT a.sub_task_id, sum(a.tokens) AS tokens, sum(a.cost) AS cost,
               (array_agg(a.api_key_id ORDER BY a.number DESC))[1] AS api_key
          FROM orchestration_attempt_usage a
         WHERE a.sub_task_id IN (SELECT id FROM page)
         GROUP BY a.sub_task_id
    )
    SELECT s.id AS pk, s.position, s.key, s.name, s.status, s.needs_approval, s.approved_at,
           s.share, s.attempts_made AS attempts, s.error_kind, s.error, s.started_at, s.ended_at,
           s.result_bytes, coalesce(p.tokens, 0)::bigint AS tokens, coalesce(p.cost, 0) AS cost,
           coalesce(p.api_key, '') AS api_key
      FROM page s LEFT JOIN spent p ON p.sub_task_id = s.id
     ORDER BY s.position
    """,
    Part,
)


def parts(task: Task, *, after: int = -1, most: int, status: str | None = None) -> list[Part]:
    """Up to `most` parts after the position `after`, in the order of the plan; two queries.

    The costs are with all adjustments. Position 0 is the planning step.
    """
    found = fetch_unprepared(PARTS, task=task.pk, after_position=after, most=most, status=status)
    corrections = corrections_by("sub_task", [each.pk for each in found])
    return [each._replace(cost=each.cost + corrections.get(each.pk, 0)) for each in found]


def corrections_by(what: str, pks: Iterable[int]) -> dict[int, Decimal]:
    """What came to the cost (USD) of attempts after it was final, by adjustments and late
    settlements, of these tasks (`task`), parts (`sub_task`) or attempts (`pk`).

    By id; most have none. One query.
    """
    later = F("allocation__used_cost") - F("cost")
    attempts = Attempt.objects.filter(
        **{f"{what}__in": list(pks)}, finalized_at__isnull=False, allocation__isnull=False
    )
    changed = attempts.exclude(cost=F("allocation__used_cost")).order_by()
    return dict(changed.values_list(what).annotate(later=Sum(later)))


def cost_of(attempt: Attempt) -> Decimal:
    """What an attempt costs (USD), with all that came later; it was loaded with its allocation."""
    cost: Decimal = attempt.allocation.used_cost if attempt.allocation else attempt.cost
    return cost


def graph_parts(task: Task, *, most: int) -> list[SubTask]:
    """The parts of the plan, without texts; empty if there are more than `most`. One query."""
    rows = SubTask.objects.filter(task=task, position__gt=0).order_by("position")
    found = list(rows.only("task_id", "position", "name", "status")[: most + 1])
    return found if len(found) <= most else []


def dependencies(of: Sequence[SubTask]) -> list[tuple[int, int]]:
    """Pairs of ids: a part, and one that it needs. One query."""
    rows = Dependency.objects.filter(sub_task__in=[each.pk for each in of])
    return list(rows.order_by("pk").values_list("sub_task", "needs"))


def latest_attempts(task: Task) -> QuerySet[Attempt]:
    """Its attempts with their parts, the latest first."""
    rows = Attempt.objects.filter(task=task).select_related("sub_task", "allocation")
    return rows.only(
        *("number", "status", "tokens", "used_tokens", "cost", "error_kind", "created_at"),
        *("ended_at", "finalized_at", "task_id", "sub_task__name", "sub_task__position"),
        *("allocation__used", "allocation__used_cost"),
    ).order_by("-pk")
