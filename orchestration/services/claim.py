"""Start waiting sub-tasks on a worker, and assign attempts of lost workers to another one."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from common import live_notices
from common.statements import fetch_unprepared
from keys.books.queries.freezes import frozen_payers
from orchestration import sql
from orchestration.models import Attempt, SubTask, Task
from orchestration.runners.base import WAITS
from orchestration.services import room
from orchestration.services.closed_scopes import ConcurrencyLimits, full_providers
from orchestration.services.finish import fail_sub_tasks
from orchestration.sql.claim import Candidate, PromisedTokens
from orchestration.sql.rows import AttemptRow
from orchestration.task_budget import TOKENS_MIN, TaskBudget

# A sub-task that waits for tokens of others is considered again after this time.
_POSTPONEMENT = timedelta(seconds=3)
# How often a claim looks at further candidates because those before them lack room.
_ROUNDS_MAX = 20


@transaction.atomic(durable=True)
def claim(*, worker: str, most: int, now: datetime) -> list[Attempt]:
    """Start up to `most` waiting sub-tasks: each gets an attempt with tokens of its task's budget.

    The agents with the fewest running attempts come first. Concurrency limits and the budgets of
    the tasks may allow fewer, and nothing starts for what is frozen. Where a limit in tokens or USD
    has stopped work of an agent, its other work starts only if there is room: it waits without
    attempts, and takes no place of others. One conditional UPDATE decides which worker gets a
    sub-task.
    """
    if not fetch_unprepared(sql.CANDIDATES, full=[], now=now, most=1):
        return []
    # Under the lock no other worker starts attempts, so what is counted now stays true.
    fetch_unprepared(sql.CLAIM_LOCK)
    limits = ConcurrencyLimits()
    started: list[AttemptRow] = []
    for _ in range(_ROUNDS_MAX):
        found = _start_some(limits, worker=worker, most=most - len(started), now=now)
        started += found.started
        # The places of those that wait are for those after them.
        if not found.held_back or len(started) >= most:
            break
    return _attempts(started)


class _Round(NamedTuple):
    """The attempts that one look at the candidates started, and how many of these lack room."""

    started: list[AttemptRow]
    held_back: int


def _start_some(limits: ConcurrencyLimits, *, worker: str, most: int, now: datetime) -> _Round:
    closed = [*limits.full_scopes(), *frozen_payers()]
    sub_tasks, tasks = _lock_candidates(
        fetch_unprepared(sql.CANDIDATES, full=closed, now=now, most=most)
    )
    budgets = _task_budgets(tasks, sub_tasks)
    starts = [start for one in sub_tasks if (start := _start(one, tasks, budgets, limits, now=now))]
    lacking = room.lacking(starts, full=full_providers(closed), now=now)
    for start in starts:
        if start.sub_task.pk in lacking:
            limits.release(start.scopes)
    room.wait(lacking, now=now)
    _postpone(budgets.values(), now=now)
    started = fetch_unprepared(
        sql.START_ATTEMPTS,
        starts=json.dumps([s.parameters() for s in starts if s.sub_task.pk not in lacking]),
        worker=worker,
        until=_lease_end(now),
        waits=WAITS,
        now=now,
    )
    return _Round(started, len(lacking))


@transaction.atomic(durable=True)
def take_over(*, worker: str, most: int, now: datetime) -> list[Attempt]:
    """Assign attempts whose lease has expired to `worker`; each fence becomes one higher."""
    until = _lease_end(now)
    return _attempts(
        fetch_unprepared(sql.TAKE_OVER, worker=worker, most=most, now=now, until=until)
    )


@transaction.atomic(durable=True)
def renew_leases(*, worker: str, now: datetime) -> dict[int, tuple[int, bool]]:
    """The heartbeat of a worker: renew the leases of its attempts once a quarter has passed.

    Returns, by attempt id, the fence and whether a cancellation was requested. An attempt that is
    missing now belongs to another worker, or has ended.
    """
    ours = Attempt.objects.filter(worker=worker, status=Attempt.Status.RUNNING)
    fresh = now + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS * 0.75)
    ours.filter(leased_until__lt=fresh).update(leased_until=_lease_end(now))
    rows = ours.values_list("id", "fence", "cancel_asked_at")
    return {pk: (fence, asked is not None) for pk, fence, asked in rows}


def release_leases(*, worker: str, now: datetime) -> int:
    """End the leases of a worker that stops, so that others can take its attempts over at once.

    Returns the number of these attempts.
    """
    left = Attempt.objects.filter(worker=worker, status=Attempt.Status.RUNNING)
    return left.update(leased_until=now)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)


def _attempts(written: list[AttemptRow]) -> list[Attempt]:
    if written:
        live_notices.announce()
    rows = Attempt.objects.filter(pk__in=[each.attempt_id for each in written])
    return list(rows.select_related("task", "sub_task").order_by("pk"))


def _lock_candidates(found: list[Candidate]) -> tuple[list[SubTask], dict[int, Task]]:
    """The candidates in their order, and their tasks by id, which are locked until commit."""
    wanted = Task.objects.filter(pk__in={each.task_id for each in found}, status=Task.Status.ACTIVE)
    locked = wanted.order_by("pk").select_for_update(of=("self",), no_key=True)
    tasks = {task.pk: task for task in locked}
    ids = [each.sub_task_id for each in found if each.task_id in tasks]
    rows = SubTask.objects.in_bulk(ids)
    return [rows[pk] for pk in ids if rows[pk].status == SubTask.Status.WAITING], tasks


def spent_tokens(sub_tasks: list[int]) -> dict[int, int]:
    """The tokens of all attempts, by sub-task: used ones, or lent ones until the use is final."""
    found = fetch_unprepared(sql.SPENT_TOKENS, sub_tasks=sub_tasks)
    return {each.sub_task_id: each.tokens for each in found}


def _task_budgets(tasks: dict[int, Task], sub_tasks: list[SubTask]) -> dict[int, TaskBudget]:
    spent = spent_tokens([one.pk for one in sub_tasks if one.attempts_made])
    found = fetch_unprepared(sql.PROMISED_TOKENS, tasks=list(tasks), least=TOKENS_MIN)
    return {each.task_id: _task_budget(tasks[each.task_id], each, spent) for each in found}


def _task_budget(task: Task, tokens: PromisedTokens, spent: dict[int, int]) -> TaskBudget:
    return TaskBudget(
        free=task.free,
        promised=tokens.promised,
        returned=tokens.shares - tokens.promised - task.lent - task.used,
        reserve=task.reserve,
        lent=task.lent,
        payable=tokens.payable,
        spent=spent,
    )


def _start(
    sub_task: SubTask,
    tasks: dict[int, Task],
    budgets: dict[int, TaskBudget],
    limits: ConcurrencyLimits,
    *,
    now: datetime,
) -> room.Start | None:
    """The start of a sub-task; None if it has to wait."""
    task = tasks[sub_task.task_id]
    scopes = ["all", f"agent:{task.agent_id}"]
    scopes += [f"runner:{sub_task.runner}", f"provider:{sub_task.provider}"]
    scopes += [f"centre:{slug}" for slug in task.centres]
    if not limits.allow(scopes) or not (tokens := budgets[task.pk].lend(sub_task)):
        return None
    limits.count(scopes)
    return room.Start(sub_task, task, tokens, scopes, now)


def _postpone(budgets: Iterable[TaskBudget], *, now: datetime) -> None:
    """Postpone sub-tasks that have to wait for tokens, and fail those that cannot get any."""
    later = [one.pk for task_budget in budgets for one in task_budget.later]
    SubTask.objects.filter(pk__in=later).update(not_before=now + _POSTPONEMENT)
    if broke := [one for task_budget in budgets for one in task_budget.broke]:
        says = "The task's budget has too few tokens left for another attempt."
        fail_sub_tasks(broke, kind="budget_exhausted", says=says, now=now)
