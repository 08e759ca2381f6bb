"""Whether one blocked runner holds others back: 1,000 tasks of ten agents over four teams.

The services run as in workers, on a clock of their own, so that hours take seconds. Every attempt
takes two seconds, and limits stand at every level. The same is done with candidates as they were
chosen before: the first hundred in the order of their tasks.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TextIO

from bench import rows
from common.statements import Statement
from keys import services as keys
from orchestration import services, sql
from orchestration.models import Attempt, SubTask, Task
from orchestration.sql.claim import Candidate

_TEAMS, _AGENTS, _TASKS, _BLOCKED = 4, 10, 100, 20
_PLACES, _TEAM_MAX, _AGENT_MAX = 40, 16, 6
_TURN, _TAKES = timedelta(seconds=0.25), timedelta(seconds=2)
_AT_MOST = timedelta(seconds=60)
_RUNNER = "command:blocked"
_BY_TASK = Statement(
    """
    SELECT s.id AS sub_task_id, s.task_id
      FROM orchestration_subtask s JOIN orchestration_task t ON t.id = s.task_id
     WHERE s.status = 'waiting' AND t.status = 'active' AND s.not_before <= %(now)s
       AND %(full)s::text[] IS NOT NULL
     ORDER BY s.task_id, s.position LIMIT least(%(most)s, 100)
    """,
    Candidate,
)


def run(_seconds: float, _clients: list[int], out: TextIO) -> None:
    """Print the median waits. `_seconds` and `_clients` are not used."""
    _make()
    alone = _median(_played(["house-0"], blocked=0, tasks=_TASKS - _BLOCKED))
    together = _median(_played([f"house-{n}" for n in range(_AGENTS)], blocked=_BLOCKED))
    with _as_before():
        before = _played([f"house-{n}" for n in range(_AGENTS)], blocked=_BLOCKED)
    # An agent alone has as many places as its limit; together each has its part of all places.
    expected = alone * _AGENT_MAX / (_PLACES / _AGENTS)
    print(  # noqa: T201
        f"\n{_AGENTS * _TASKS:,} tasks of {_AGENTS} agents over {_TEAMS} teams, "
        f"{_AGENTS * _BLOCKED} of them with a runner that is blocked; median wait of the others: "
        f"{together:.1f} s (of an agent alone: {alone:.1f} s; times its share of the places: "
        f"{expected:.1f} s); with the first 100 candidates in the order of tasks, as before: "
        f"{_words(before)}",
        file=out,
        flush=True,
    )


def _words(waits: list[float]) -> str:
    if not waits:
        return f"none had started after {_AT_MOST.total_seconds():.0f} s"
    return f"{_median(waits):.1f} s"


def _median(waits: list[float]) -> float:
    return statistics.median(waits)


def _make() -> None:
    now = rows.now()
    for team in range(_TEAMS):
        keys.create_cost_centre(f"house-team-{team}", parent="org", actor=rows.ACTOR, now=now)
    for number in range(_AGENTS):
        keys.create_agent_without_limits(
            f"house-{number}",
            cost_centre=f"house-team-{number % _TEAMS}",
            actor=rows.ACTOR,
            now=now,
        )
        _limit(f"agent:house-{number}", _AGENT_MAX)
    terms = services.CommandTerms(argv=["/bin/true"], wire_format="openai", cost_centres=["org"])
    services.set_command("blocked", terms=terms, reason="bench", actor=rows.ACTOR, now=now)
    _limit("all", _PLACES)
    _limit("provider:bench", _PLACES)
    _limit(f"runner:{_RUNNER}", 0)
    for team in range(_TEAMS):
        _limit(f"centre:house-team-{team}", _TEAM_MAX)


def _limit(scope: str, most: int) -> None:
    services.set_concurrency(
        scope, attempts_max=most, reason="bench", actor=rows.ACTOR, now=rows.now()
    )


@contextmanager
def _as_before() -> Iterator[None]:
    now, sql.CANDIDATES = sql.CANDIDATES, _BY_TASK
    try:
        yield
    finally:
        sql.CANDIDATES = now


def _played(agents: list[str], *, blocked: int, tasks: int = _TASKS) -> list[float]:
    """The seconds that each task waited which is not blocked; those that started."""
    start = rows.now()
    submitted = [
        _submit(agent, number < blocked, now=start) for number in range(tasks) for agent in agents
    ]
    now, running = start, dict[int, Attempt]()
    free = [pk for pk, is_blocked in submitted if not is_blocked]
    while _is_any_waiting(free) and now - start < _AT_MOST:
        now += _TURN
        _finish([each for each in running.values() if each.created_at + _TAKES <= now], now=now)
        running = {pk: each for pk, each in running.items() if each.created_at + _TAKES > now}
        for attempt in services.claim(worker="house", most=_PLACES - len(running), now=now):
            running[attempt.pk] = attempt
    _finish(list(running.values()), now=now)
    for pk, _ in submitted:
        if not Task.objects.get(pk=pk).is_over:
            services.cancel(task_id=pk, actor=rows.ACTOR, now=now)
    started = SubTask.objects.filter(task__in=free, started_at__isnull=False)
    moments = started.values_list("started_at", flat=True)
    return [(at - start).total_seconds() for at in moments if at is not None]


def _submit(agent: str, is_blocked: bool, *, now: datetime) -> tuple[int, bool]:
    request = services.TaskRequest(
        name="house",
        sub_tasks=({"description": "work"},),
        total_budget=5_000,
        provider="bench",
        runner=_RUNNER if is_blocked else "model",
        timeout=86_400,
    )
    task, _ = services.submit(agent=agent, request=request, now=now)
    return task.pk, is_blocked


def _is_any_waiting(tasks: list[int]) -> bool:
    return SubTask.objects.filter(task__in=tasks, status="waiting").exists()


def _finish(attempts: list[Attempt], *, now: datetime) -> None:
    ends = [
        services.AttemptOutcome(each.pk, each.fence, "succeeded", text="done") for each in attempts
    ]
    if ends:
        services.finish_many(ends, now=now)
        services.finalize(now=now)
