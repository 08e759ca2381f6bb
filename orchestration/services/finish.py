"""Record the outcomes of attempts, and update their sub-tasks and tasks."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, TextField, Value, When
from django.db.models.functions import Concat

from alerts import services as alerts
from common import live_notices
from common.statements import fetch_unprepared
from orchestration import alert_kinds, planning, sql
from orchestration.models import Attempt, SubTask, Task
from orchestration.planning import Part
from orchestration.refusals import BudgetTooSmall, WrongPlan
from orchestration.runners.base import KINDS, WAITS
from orchestration.services.ends import say_why_ended
from orchestration.services.store_plan import write_sub_tasks
from orchestration.storable_text import all_storable, storable
from orchestration.task_texts import TASK, result_of, texts_of

# As long as the output of a command may be, with the note of what is left out.
RESULT_CHARACTERS_MAX = 10_100_000
_BY_KEYWORDS = "The model's answer was no usable plan, so the keyword planner made the plan."
_NOT_PLANNED = "The model's answer was no usable plan, so the whole text is one sub-task."
# Ends of those whose time was over, which may have waited for a limit.
_WAITED = ("task_timeout", "waited_too_long")
_BACK_OFF_SECONDS = 2.0
_BACK_OFF_SECONDS_MAX = 120.0
_RETRY_AFTER_SECONDS_MAX = 3_600.0


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The outcome of an attempt, as its worker reports it.

    `status`: succeeded, failed or cancelled. `kind` (a key of `runners.base.KINDS`) and `says`
    (a sentence for people) describe a failure. `retry_after`: seconds that a provider asked for.
    """

    attempt: int
    fence: int
    status: str
    text: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    says: str = ""
    retry_after: float | None = None


@transaction.atomic(durable=True)
def finish_many(outcomes: Sequence[AttemptOutcome], *, now: datetime) -> list[bool]:
    """Record outcomes of attempts. Returns, for each, whether its worker still had the attempt.

    In the same transaction: the sub-task succeeds, fails or waits for a retry; sub-tasks that
    depend on it are unblocked or fail too; the task ends with its last sub-task.
    """
    by_id = {each.attempt: each for each in outcomes}
    tasks = lock_tasks(Attempt.objects.filter(pk__in=by_id).values("task_id"))
    accepted = _end_attempts(outcomes, now=now)
    attempts = Attempt.objects.filter(pk__in=accepted).select_related("sub_task")
    moves = [
        _move(tasks[attempt.task_id], attempt, by_id[attempt.pk], now=now) for attempt in attempts
    ]
    _move_sub_tasks(moves, tasks, now=now)
    return [each.attempt in accepted for each in outcomes]


def lock_tasks(pks: Any) -> dict[int, Task]:
    """The tasks by id, locked until commit."""
    rows = Task.objects.filter(pk__in=pks).order_by("pk")
    return {task.pk: task for task in rows.select_for_update(of=("self",), no_key=True)}


def fail_sub_tasks(
    sub_tasks: Sequence[SubTask], *, kind: str, says: str, now: datetime, status: str = "failed"
) -> None:
    """Fail sub-tasks without a running attempt, and all that depend on them.

    The caller has locked their tasks.
    """
    open_ones = SubTask.objects.filter(
        pk__in=[one.pk for one in sub_tasks], status__in=SubTask.TO_COME
    )
    failed = list(open_ones.values_list("pk", flat=True))
    open_ones.update(
        status=status,
        error_kind=kind,
        error=_with_what_it_waited_for(says) if kind in _WAITED else says,
        ended_at=now,
        waiting_since=None,
    )
    advance_tasks(failed=failed, tasks=list({one.task_id for one in sub_tasks}), now=now)


def _with_what_it_waited_for(says: str) -> Case:
    """The error of a sub-task whose time is over, with the limit that it waited for."""
    waited = Q(error_kind__in=WAITS) & ~Q(error="")
    return Case(
        When(waited, then=Concat(Value(f"{says} It waited: "), F("error"))),
        default=Value(says),
        output_field=TextField(),
    )


def advance_tasks(
    *, done: Sequence[int] = (), failed: Sequence[int] = (), tasks: Sequence[int], now: datetime
) -> None:
    """Unblock or fail the dependents of ended sub-tasks, and end tasks that are finished.

    `done` and `failed`: ids of sub-tasks. The caller has locked their tasks.
    """
    ended = [*done, *failed]
    if failed:
        dependents = fetch_unprepared(sql.END_DEPENDENTS, failed=list(failed), now=now)
        ended += [each.sub_task_id for each in dependents]
    if ended:
        fetch_unprepared(sql.UNBLOCK, done=ended, now=now)
    over = fetch_unprepared(sql.END_TASKS, tasks=list(tasks), now=now)
    say_why_ended([each.task_id for each in over], now=now)
    live_notices.announce()


def _end_attempts(outcomes: Sequence[AttemptOutcome], *, now: datetime) -> set[int]:
    rows = [
        {
            "attempt": each.attempt,
            "fence": each.fence,
            "status": each.status,
            "error_kind": each.kind,
            "error": storable(each.says),
            "facts": each.facts,
        }
        for each in outcomes
    ]
    accepted = fetch_unprepared(sql.END_ATTEMPTS, outcomes=_json(rows), now=now)
    return {each.attempt_id for each in accepted}


def _json(rows: list[dict[str, Any]]) -> str:
    # Cleaned before it is encoded: in JSON text, an escaped NUL cannot be told from a quoted one.
    return json.dumps(all_storable(rows), default=str)


def _move(
    task: Task, attempt: Attempt, outcome: AttemptOutcome, *, now: datetime
) -> dict[str, Any]:
    """The parameters of MOVE_SUB_TASKS for the sub-task of an ended attempt."""
    sub_task = attempt.sub_task
    move = {
        "sub_task": sub_task.pk,
        "status": outcome.status,
        "not_before": None,
        "retries": sub_task.retries,
        "recoveries": sub_task.recoveries,
        "error_kind": outcome.kind,
        "error": storable(outcome.says),
        "sealed_result": _sealed_result(task, sub_task, outcome.text),
    }
    if outcome.status == Attempt.Status.FAILED:
        move |= _retry_changes(task, attempt, outcome, now=now)
    return move


def _sealed_result(task: Task, sub_task: SubTask, text: str) -> str | None:
    """The result as PostgreSQL reads bytes in JSON."""
    sealed = texts_of(task).seal(
        storable(text[:RESULT_CHARACTERS_MAX]), place=result_of(sub_task.position)
    )
    return None if sealed is None else f"\\x{sealed.hex()}"


def _retry_changes(
    task: Task, attempt: Attempt, outcome: AttemptOutcome, *, now: datetime
) -> dict[str, Any]:
    """What is different when another attempt follows; empty when the failure is final."""
    kind, sub_task = KINDS[outcome.kind], attempt.sub_task
    if task.status == Task.Status.CANCELLING or not kind.retryable:
        return {}
    if kind.counts_as == "wait":
        return _waiting(now, back_off(sub_task.attempts_made - 1, asked=outcome.retry_after))
    if kind.counts_as == "recovery":
        recoveries = sub_task.recoveries + 1
        if recoveries > settings.ATTEMPT_RECOVERIES_MAX:
            return {"error_kind": "quarantined", "error": _QUARANTINED.format(recoveries)}
        return {"recoveries": recoveries} | _waiting(now, 0)
    if outcome.kind == "budget_exhausted" and _raised_since(task, attempt):
        return _waiting(now, 0)
    if not task.retry_on_failure or sub_task.retries >= task.max_retries:
        return {}
    pause = back_off(sub_task.retries, asked=outcome.retry_after)
    return {"retries": sub_task.retries + 1} | _waiting(now, pause)


def _raised_since(task: Task, attempt: Attempt) -> bool:
    """Whether the budget was raised while the attempt ran, which so had none of the increase."""
    return task.budget_raised_at is not None and attempt.created_at < task.budget_raised_at


_QUARANTINED = "Its workers died {} times in a row. Find the cause before you retry it."


def _waiting(now: datetime, seconds: float) -> dict[str, Any]:
    return {"status": "waiting", "not_before": (now + timedelta(seconds=seconds)).isoformat()}


def back_off(retries: int, *, asked: float | None = None) -> float:
    """Seconds to wait before retry number `retries + 1`: exponential, with jitter.

    `asked`: seconds that a provider asked to wait, which are the least.
    """
    longest = min(_BACK_OFF_SECONDS * 2 ** min(retries, 10), _BACK_OFF_SECONDS_MAX)
    pause = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, keeps no secret
    return max(pause, min(asked or 0.0, _RETRY_AFTER_SECONDS_MAX))


def _move_sub_tasks(moves: list[dict[str, Any]], tasks: dict[int, Task], *, now: datetime) -> None:
    fetch_unprepared(sql.MOVE_SUB_TASKS, moves=_json(moves), now=now)
    done = [move["sub_task"] for move in moves if move["status"] == "succeeded"]
    failed = [move["sub_task"] for move in moves if move["status"] in ("failed", "cancelled")]
    _write_plans([*done, *failed], tasks, now=now)
    _alert([move for move in moves if move["error_kind"] == "quarantined"], now=now)
    advance_tasks(done=done, failed=failed, tasks=list(tasks), now=now)


def _write_plans(ended: list[int], tasks: dict[int, Task], *, now: datetime) -> None:
    """Store the sub-tasks of tasks whose planning step has ended."""
    for planner in SubTask.objects.filter(pk__in=ended, position=0):
        task = tasks[planner.task_id]
        if task.status != Task.Status.CANCELLING:
            _write_plan(task, planner, now=now)


def _write_plan(task: Task, planner: SubTask, *, now: datetime) -> None:
    left = max(task.free - task.reserve, 0)
    texts = texts_of(task)
    answer = texts.unseal(planner.sealed_result, place=result_of(planner.position))
    description = texts.unseal(task.sealed_description, place=TASK)
    for note, plan in _plans(task, description, answer):
        with suppress(planning.UnusablePlan, WrongPlan, BudgetTooSmall):
            parts = plan()
            shares = planning.split(parts, total=left)
            write_sub_tasks(task, parts, shares, first=1, now=now)
            Task.objects.filter(pk=task.pk).update(plan_note=note)
            return


def _plans(
    task: Task, description: str, answer: str
) -> Iterator[tuple[str, Callable[[], list[Part]]]]:
    """The model's plan, then the keyword plan, then one sub-task, each with what to say of it.

    The first usable one counts.
    """
    yield "", partial(planning.plan_of_answer, answer)
    yield _BY_KEYWORDS, partial(planning.keyword_plan, description, parallel=task.parallel)
    yield _NOT_PLANNED, lambda: [Part(key="1", name=task.name, description=description)]


def _alert(quarantined: list[dict[str, Any]], *, now: datetime) -> None:
    for move in quarantined:
        alerts.raise_alert(
            kind=alert_kinds.SUB_TASK_QUARANTINED,
            dedup_key=f"quarantined:{move['sub_task']}",
            title="A sub-task repeatedly lost its worker",
            detail=move["error"],
            facts={"sub_task": move["sub_task"]},
            now=now,
        )
