"""The results of a task, with the tokens and costs of its attempts."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from common.statements import Statement, fetch_unprepared
from orchestration.models import SubTask, Task
from orchestration.prompts import DependencyResult
from orchestration.refusals import SubTaskNotFound
from orchestration.task_texts import TaskTexts, result_of

# How providers say that an answer ended at its maximum of tokens.
_CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "model_length")
# Longer results are not listed whole: `result_text` has their parts.
LISTED_CHARACTERS_MAX = 1_000_000
_NO_RESULT = "[This part failed or was skipped, so it has no result. Go on with what there is.]"


class SubTaskResult(NamedTuple):
    """One sub-task: `tokens` and `cost` (USD) of all its attempts, `api_key` of the last one.

    `finish_reason`, `output_max` (tokens) and `left_out` (bytes) are what the runner of the
    attempt that succeeded reported of its answer.
    """

    position: int
    key: str
    name: str
    status: str
    error_kind: str
    error: str
    share: int
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    tokens: int
    cost: Decimal
    api_key: str
    finish_reason: str
    output_max: str
    left_out: str

    @property
    def cut(self) -> str | None:
        """Why the result is not whole: `budget` if the answer was cut to what was left of it,
        `length` if it reached the maximum of the model, `output` if a command printed more than is
        kept. None if it is whole."""
        if self.finish_reason in _CUT_SHORT:
            return "budget" if self.output_max else "length"
        return "output" if self.left_out not in ("", "0") else None

    def seconds(self, now: datetime) -> float | None:
        """Seconds from the start of its first attempt to its end, or until now; None before it."""
        if self.started_at is None:
            return None
        return max(((self.ended_at or now) - self.started_at).total_seconds(), 0.0)


DETAILS = Statement(
    """
    -- Of each sub-task, what all its attempts have used, and the key of the last one.
    WITH spent AS (
        SELECT a.sub_task_id,
               sum(a.tokens) AS tokens,
               sum(a.cost) AS cost,
               (array_agg(a.api_key_id ORDER BY a.number DESC))[1] AS api_key
          FROM orchestration_attempt_usage a
         WHERE a.task_id = %(task)s
         GROUP BY a.sub_task_id
    )
    SELECT s.position, s.key, s.name, s.status, s.error_kind, s.error, s.share,
           s.attempts_made AS attempts, s.started_at, s.ended_at,
           coalesce(p.tokens, 0)::bigint AS tokens, coalesce(p.cost, 0) AS cost,
           coalesce(p.api_key, '') AS api_key,
           coalesce(w.facts->>'finish_reason', '') AS finish_reason,
           coalesce(w.facts->>'output_max', '') AS output_max,
           coalesce(w.facts->>'output_bytes_left_out', '') AS left_out
      FROM orchestration_subtask s
      LEFT JOIN spent p ON p.sub_task_id = s.id
      LEFT JOIN orchestration_attempt w ON w.sub_task_id = s.id AND w.status = 'succeeded'
     WHERE s.task_id = %(task)s
     ORDER BY s.position
    """,
    SubTaskResult,
)


class Results(NamedTuple):
    """The results of a task. `planning`: its planning step, if a model planned it, else empty.
    `texts`: by position, whole."""

    details: list[SubTaskResult]
    planning: list[SubTaskResult]
    texts: dict[int, str]

    @property
    def successful(self) -> int:
        """How many sub-tasks succeeded."""
        return sum(each.status == SubTask.Status.SUCCEEDED for each in self.details)

    @property
    def failed(self) -> int:
        """How many sub-tasks failed or were cancelled."""
        return sum(each.ended_at is not None for each in self.details) - self.successful

    @property
    def tokens(self) -> int:
        """Tokens used by all attempts, planning included."""
        return sum(each.tokens for each in (*self.planning, *self.details))

    @property
    def cost(self) -> Decimal:
        """The cost of all attempts in US dollars, planning included."""
        return sum((each.cost for each in (*self.planning, *self.details)), Decimal(0))

    @property
    def success_rate(self) -> float:
        """The percentage of sub-tasks that succeeded, with one decimal place."""
        return round(100 * self.successful / len(self.details), 1) if self.details else 0.0


def results(task: Task, *, texts: TaskTexts | None = None) -> Results:
    """The results of a task so far, in one query; with `texts`, in two. Refusal: CannotUnseal."""
    rows = fetch_unprepared(DETAILS, task=task.pk)
    details, planning = [r for r in rows if r.position], [r for r in rows if not r.position]
    return Results(details, planning, _result_texts(task, texts) if texts else {})


def _result_texts(task: Task, texts: TaskTexts) -> dict[int, str]:
    sealed = SubTask.objects.filter(task=task, sealed_result__isnull=False)
    return {
        position: texts.unseal(result, place=result_of(position))
        for position, result in sealed.values_list("position", "sealed_result")
    }


def camel_case_results(found: Results, *, now: datetime) -> dict[str, Any]:
    """The results as JSON values with camelCase names, for the REST API and `run_task --json`.

    Costs are Decimals in US dollars; durations are seconds, until `now` for what still runs.
    """
    return {
        "totalSubTasks": len(found.details),
        "successful": found.successful,
        "failed": found.failed,
        "totalTokensUsed": found.tokens,
        "totalCost": found.cost,
        "successRate": found.success_rate,
        **({"planning": _camel_case_planning(found, now)} if found.planning else {}),
        "details": [
            _camel_case_detail(each, found.texts.get(each.position, ""), now)
            for each in found.details
        ],
    }


def _camel_case_planning(found: Results, now: datetime) -> dict[str, Any]:
    """What the planning step of a model used."""
    (step,) = found.planning
    return {
        "status": step.status,
        "tokensUsed": step.tokens,
        "cost": step.cost,
        "attempts": step.attempts,
        "duration": step.seconds(now),
        "error": step.error or None,
    }


def _camel_case_detail(each: SubTaskResult, text: str, now: datetime) -> dict[str, Any]:
    return {
        "id": each.key,
        "name": each.name,
        "status": each.status,
        "tokensUsed": each.tokens,
        "error": each.error or None,
        "errorKind": each.error_kind or None,
        "cost": each.cost,
        "duration": each.seconds(now),
        "attempts": each.attempts,
        "key": each.api_key or None,
        "result": text[:LISTED_CHARACTERS_MAX],
        "resultCharacters": len(text),
        "cut": each.cut,
    }


def result_text(task: Task, key: str, *, texts: TaskTexts) -> str:
    """The whole result of a sub-task; empty if it has none. Refusals: SubTaskNotFound,
    CannotUnseal."""
    rows = SubTask.objects.filter(task=task, key=key).values_list("position", "sealed_result")
    row = rows.first()
    if row is None:
        raise SubTaskNotFound(task_id=task.pk, sub_task=key)
    position, sealed = row
    return texts.unseal(sealed, place=result_of(position)) if sealed else ""


def results_needed_by(sub_task: SubTask, *, texts: TaskTexts) -> list[DependencyResult]:
    """The results of the sub-tasks that a sub-task depends on, in the order of the plan."""
    needed = SubTask.objects.filter(dependents__sub_task=sub_task).order_by("position")
    columns = ("name", "position", "status", "sealed_result")
    return [
        DependencyResult(
            name,
            texts.unseal(result, place=result_of(position))
            if status == SubTask.Status.SUCCEEDED
            else _NO_RESULT,
        )
        for name, position, status, result in needed.values_list(*columns)
    ]
