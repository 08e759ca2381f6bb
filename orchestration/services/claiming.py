"""Give waiting sub-tasks to a worker, and silent workers' attempts to another one."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from orchestration import statements
from orchestration.models import Attempt, Concurrency, SubTask, Task
from orchestration.services.finishing import fail_sub_tasks

# Fewer are not worth a call.
TOKENS_MIN = 100


@transaction.atomic(durable=True)
def claim(*, worker: str, most: int, now: datetime) -> list[Attempt]:
    """Begin up to `most` waiting sub-tasks: each gets an attempt, lent tokens of its task's budget.

    As many as every concurrency limit and the budget of the task allow. Who wins is decided by one
    conditional UPDATE.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.CANDIDATES, {"now": now, "most": most})
        if not cursor.fetchall():
            return []
        # Asked again under the lock: somebody else may have begun them meanwhile.
        cursor.execute(statements.GIVE_PLACES)
        cursor.execute(statements.CANDIDATES, {"now": now, "most": most})
        sub_tasks, tasks = _in_order(cursor.fetchall())
        places = _Places(_counted(cursor, statements.RUNNING))
        purses = _purses(cursor, tasks)
        chosen = [
            given for one in sub_tasks if (given := _given(one, tasks, purses, places, now=now))
        ]
        _fail_the_broke(sub_tasks, tasks, purses, now=now)
        until = _leased_until(now)
        cursor.execute(
            statements.TAKE,
            {"given": json.dumps(chosen), "worker": worker, "until": until, "now": now},
        )
        return _attempts(row[0] for row in cursor.fetchall())


@transaction.atomic(durable=True)
def take_over(*, worker: str, most: int, now: datetime) -> list[Attempt]:
    """The attempts of workers that were silent for too long; their fence is one higher now."""
    with connection.cursor() as cursor:
        cursor.execute(
            statements.TAKE_OVER,
            {"worker": worker, "most": most, "now": now, "until": _leased_until(now)},
        )
        return _attempts(row[0] for row in cursor.fetchall())


@transaction.atomic(durable=True)
def beat(*, worker: str, now: datetime) -> dict[int, tuple[int, bool]]:
    """The heartbeat: renew the leases of a worker's attempts.

    Those that are still its own, by id: their fence, and whether somebody asked to cancel them.
    """
    renewed = Attempt.objects.filter(worker=worker, status=Attempt.Status.RUNNING)
    renewed.update(leased_until=_leased_until(now))
    rows = renewed.values_list("id", "fence", "cancel_asked_at")
    return {pk: (fence, asked is not None) for pk, fence, asked in rows}


def give_up(*, worker: str, now: datetime) -> int:
    """The worker stops: whatever is left of its attempts may be taken over at once; how many."""
    left = Attempt.objects.filter(worker=worker, status=Attempt.Status.RUNNING)
    return left.update(leased_until=now)


def _leased_until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS)


def _attempts(found: Iterable[int]) -> list[Attempt]:
    rows = Attempt.objects.filter(pk__in=list(found))
    return list(rows.select_related("task", "sub_task").order_by("pk"))


def _in_order(found: list[tuple[int, int]]) -> tuple[list[SubTask], dict[int, Task]]:
    """The candidates in their order, and their tasks, locked."""
    wanted = Task.objects.filter(pk__in={task for _, task in found}, status=Task.Status.ACTIVE)
    locked = wanted.order_by("pk").select_for_update(of=("self",), no_key=True)
    tasks = {task.pk: task for task in locked}
    ids = [pk for pk, task in found if task in tasks]
    rows = SubTask.objects.in_bulk(ids)
    return [rows[pk] for pk in ids if rows[pk].status == SubTask.Status.WAITING], tasks


def _counted(cursor: Any, statement: str) -> Counter:
    cursor.execute(statement)
    return Counter(dict(cursor.fetchall()))


class _Places:
    """What runs, by scope, beside what may."""

    def __init__(self, running: Counter) -> None:
        self._running = running
        self._most = dict(Concurrency.objects.values_list("scope", "attempts_max"))
        self._most.setdefault("all", settings.ATTEMPTS_MAX)

    def take(self, scopes: list[str]) -> bool:
        """A place in each of these, or in none."""
        if any(self._running[s] >= self._most[s] for s in scopes if s in self._most):
            return False
        self._running.update(scopes)
        return True


@dataclass
class _Purse:
    """What a task can lend now: `free` of its budget, `promised` of that to sub-tasks to come,
    `returned` by those that used less than their share. `settled`: nothing ended is yet to be
    accounted for, so `free` is all there is."""

    free: int
    promised: int
    returned: int
    reserve: int
    settled: bool
    broke: list[int]

    def lend(self, sub_task: SubTask) -> int:
        """How many tokens its next attempt gets; 0: none for now."""
        # What retries took beyond the shares came out of the reserve.
        reserve = 0 if sub_task.attempts_made else max(self.reserve + min(self.returned, 0), 0)
        most = self.free - reserve - (self.promised - sub_task.share)
        if sub_task.error_kind == "budget_exhausted":
            wanted = most
        else:
            bonus = max(self.returned, 0) * sub_task.share // max(self.promised, 1)
            wanted = sub_task.share + bonus
        tokens = min(wanted, most)
        if tokens < min(TOKENS_MIN, sub_task.share):
            if self.settled:
                self.broke.append(sub_task.pk)
            return 0
        self.free -= tokens
        self.promised -= sub_task.share
        self.returned -= tokens - sub_task.share
        return tokens


def _purses(cursor: Any, tasks: dict[int, Task]) -> dict[int, _Purse]:
    cursor.execute(statements.PROMISED, {"tasks": list(tasks)})
    purses = {}
    for pk, shares, promised, running in cursor.fetchall():
        task = tasks[pk]
        returned = shares - promised - task.lent - task.used
        settled = task.lent == running
        purses[pk] = _Purse(task.free, promised, returned, task.reserve, settled, [])
    return purses


def _given(sub_task: SubTask, tasks, purses, places: _Places, *, now) -> dict[str, Any] | None:
    """What TAKE is told of a sub-task that begins; None when it must wait."""
    task = tasks[sub_task.task_id]
    if not (tokens := purses[task.pk].lend(sub_task)):
        return None
    scopes = ["all", f"runner:{sub_task.runner}", f"provider:{sub_task.provider}"]
    if not places.take([*scopes, *(f"centre:{slug}" for slug in task.centres)]):
        return None
    deadline = min(now + timedelta(seconds=task.running_seconds), task.deadline_at)
    # Never the same twice, also when the clock stands still.
    milliseconds = int(now.timestamp() * 1000) + sub_task.attempts_made
    return {
        "sub_task": sub_task.pk,
        "tokens": tokens,
        "session_id": f"butler-{task.pk}-{sub_task.position}-{milliseconds}",
        "deadline_at": deadline.isoformat(),
    }


def _fail_the_broke(sub_tasks, tasks, purses, *, now) -> None:
    """Sub-tasks that their task has nothing left for: retries never come on top."""
    broke = {pk for purse in purses.values() for pk in purse.broke}
    failed = [one for one in sub_tasks if one.pk in broke]
    if failed:
        fail_sub_tasks(
            failed,
            kind="budget_exhausted",
            says="Nothing is left of the task's budget for another attempt.",
            now=now,
        )
