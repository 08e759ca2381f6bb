"""How fast tasks are: a fleet of sub-agents, and the results of a large task."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import psutil
from django.conf import settings
from django.db import connection

from bench import rows, server
from bench.gateway import cost
from butler_site.management.commands import up
from orchestration import services
from orchestration.models import Task
from orchestration.queries.results import DETAILS, results

_PARTS, _AT_ONCE, _LATENCY_SECONDS = 200, 100, 2
_DESCRIPTION = f"part {{}} [[sandbox output=50 latency_ms={1000 * _LATENCY_SECONDS}]]"
_MANY = 10_000
# The most attempts that ran at the same moment. An attempt starts a little after `created_at`.
_PEAK = """
SELECT max(running) FROM (
    SELECT sum(step) OVER (ORDER BY at, step) AS running
      FROM orchestration_attempt a,
           LATERAL (VALUES (created_at + interval '200 ms', 1), (ended_at, -1)) steps(at, step)
     WHERE a.task_id = %s) s
"""
_DONE = """
WITH done AS (
    UPDATE orchestration_subtask
       SET status = 'succeeded', attempts_made = 1, started_at = now(), ended_at = now()
     WHERE task_id = %(task)s
    RETURNING id, task_id, runner)
INSERT INTO orchestration_attempt (
    task_id, sub_task_id, number, session_id, status, runner, tokens, provider, worker, fence,
    leased_until, deadline_at, error_kind, error, facts, used_tokens, cost, created_at, ended_at,
    finalized_at)
SELECT task_id, id, 1, 'bench-' || id, 'succeeded', runner, 1000, '', '', 1, now(), now(), '', '',
       '{}', 500, 0.001, now(), now(), now() FROM done
"""


def run(_seconds: float, _clients: list[int], out: TextIO) -> None:
    """Print both results. `_seconds` and `_clients` are not used."""
    _fleet(out)
    _aggregate(out)


def _fleet(out: TextIO) -> None:
    rows.add_key("fleet", provider="nvidia", model="gpt-4o", sandbox=True)
    with _servers() as (workers, web):
        before = [cost.spent(pid, None).server for pid in (workers, web)]
        start = time.perf_counter()
        task = _submit(_PARTS, latency=True)
        memory = 0
        while not _is_over(task):
            memory = max(memory, _memory(workers))
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        after = [cost.spent(pid, None).server for pid in (workers, web)]
    cpu_seconds = [f"{end - start:.1f}" for start, end in zip(before, after, strict=True)]
    latency_seconds = _PARTS // _AT_ONCE * _LATENCY_SECONDS
    print(  # noqa: T201
        f"\n{_PARTS} sub-agents, {_AT_ONCE} at once, a provider that takes {_LATENCY_SECONDS} s, "
        f"{settings.TASK_WORKERS} processes: {task.status} in {seconds:.1f} s "
        f"(its latency alone: {latency_seconds} s; goal: 15 s), "
        f"{_PARTS / seconds:.0f} per second, "
        f"at most {_peak(task)} at once, {memory / 1e6:.0f} MB (goal: 1,000 MB); "
        f"CPU seconds of workers and web server: {', '.join(cpu_seconds)}",
        file=out,
        flush=True,
    )


@contextmanager
def _servers() -> Iterator[tuple[int, int]]:
    """Provider, web server and workers; the process ids of the last and the one before."""
    port = server.free_port()
    provider = [sys.executable, "-m", "gateway.sandbox", "--port", str(port)]
    variables = {"BUTLER_SANDBOX_URL": f"http://127.0.0.1:{port}/v1"}
    with (
        server.serving(provider, port=port, probe="/healthz", environ={}),
        server.running(environ=variables) as web,
    ):
        variables["BUTLER_GATEWAY_URL"] = f"http://127.0.0.1:{web.port}"
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"]
        workers = subprocess.Popen(command, env=up.environ() | variables)  # noqa: S603
        try:
            while len(psutil.Process(workers.pid).children()) < settings.TASK_WORKERS:
                time.sleep(0.1)
            yield workers.pid, web.pid
        finally:
            workers.terminate()
            workers.wait(30)


def _submit(parts: int, *, latency: bool) -> Task:
    description = _DESCRIPTION if latency else "part {}"
    task_request = services.TaskRequest(
        name="fleet",
        sub_tasks=tuple({"description": description.format(number)} for number in range(parts)),
        total_budget=parts * 5_000,
        max_concurrent=_AT_ONCE,
        provider="nvidia",
    )
    return services.submit(agent="agent-0", request=task_request, now=rows.now())[0]


def _is_over(task: Task) -> bool:
    task.refresh_from_db()
    return task.is_over


def _peak(task: Task) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PEAK, [task.pk])
        return int(cursor.fetchone()[0])


def _memory(pid: int) -> int:
    """Bytes of a process and those below it; a page that several share counts once."""
    first = psutil.Process(pid)
    return sum(one.memory_full_info().pss for one in (first, *first.children(recursive=True)))


def _aggregate(out: TextIO) -> None:
    task = _submit(_MANY, latency=False)
    with connection.cursor() as cursor:
        cursor.execute(_DONE, {"task": task.pk})
        cursor.execute("VACUUM ANALYZE")
    database = sorted(_database_ms(task) for _ in range(10))
    took = []
    for _ in range(10):
        start = time.perf_counter()
        found = results(task)
        took.append(1000 * (time.perf_counter() - start))
    if (found.successful, found.tokens) != (_MANY, 500 * _MANY):
        raise SystemExit("the results of the large task are wrong")
    print(  # noqa: T201
        f"results of {_MANY:,} sub-tasks: {statistics.median(database):.0f} ms of database time, "
        f"best {database[0]:.0f} (goal: 50 ms); {statistics.median(took):.0f} ms with all rows "
        "as objects",
        file=out,
        flush=True,
    )


def _database_ms(task: Task) -> float:
    with connection.cursor() as cursor:
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {DETAILS.text}"
        cursor.execute(explained, {"task": task.pk})
        plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        return float(plan[0]["Planning Time"] + plan[0]["Execution Time"])
