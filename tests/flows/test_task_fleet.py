"""Many sub-agents at once in a few processes: all succeed, and no limit is exceeded."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from django.core.management import call_command
from django.db import connection

from orchestration.models import Attempt, Task
from orchestration.queries.results import results
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import supply
from tests.orchestration.work import assert_finalized, say, statuses, submit
from tests.threads import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("races"),
    pytest.mark.django_db(transaction=True),
]

PARTS = 200
AT_ONCE = 100
MEMORY_MAX = 1_000_000_000

# The most attempts that ran at the same moment. A claim says when it was asked for, which is a
# little before the places were counted: ends of that moment go before it.
_PEAK = """
WITH steps AS (
    SELECT created_at + interval '200 ms' AS at, 1 AS step FROM orchestration_attempt
    UNION ALL SELECT ended_at, -1 FROM orchestration_attempt
)
SELECT max(running) FROM (SELECT sum(step) OVER (ORDER BY at, step) AS running FROM steps) s
"""


@pytest.fixture
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def office(sandbox):
    """A web server and two workers on the database of the test."""
    supply("nvidia-1", tokens=100_000_000)
    call_command("install_schedules", verbosity=0)
    environ = {"BUTLER_SANDBOX_URL": f"{sandbox.url}/v1", "BUTLER_TASK_WORKERS": "2"}
    started = Processes(only=("web", "work"), environ=environ)
    started.start()
    yield started
    started.kill_all()


def test_two_hundred_parts_run_a_hundred_at_once_in_two_processes(office, sandbox):
    parts = [say(f"part {n}", output=50, latency_ms=2000) for n in range(PARTS)]
    with peak_usage(office, sandbox) as seen:
        start = time.monotonic()
        task = submit(*parts, budget=2_000_000, max_concurrent=AT_ONCE)
        wait_until(lambda: _is_over(task), seconds=120)
        seconds = time.monotonic() - start
    print(f"{PARTS} parts in {seconds:.1f} s; {seen}")  # noqa: T201 - the figure people ask for
    assert statuses(task) == ["succeeded"] * PARTS
    assert Attempt.objects.filter(task=task).count() == PARTS
    assert AT_ONCE // 2 < _peak() <= AT_ONCE
    assert AT_ONCE // 2 < seen.under_way <= AT_ONCE
    assert seen.memory < MEMORY_MAX
    wait_until(lambda: not Attempt.objects.filter(finalized_at=None).exists())
    assert_finalized(task)
    billed = sum(row["input"] + row["output"] for row in sandbox.log())
    task.refresh_from_db()
    assert task.used == results(task).tokens == billed


class Seen:
    """The most that was seen: bytes of memory of the workers (shared pages count once), calls under
    way at the provider."""

    def __init__(self) -> None:
        self.memory = self.under_way = 0

    def __str__(self) -> str:
        return f"{self.under_way} under way at the provider, {self.memory / 1e6:.0f} MB"


@contextmanager
def peak_usage(processes: Processes, sandbox) -> Iterator[Seen]:
    """Measure several times a second until the block ends."""
    seen, over = Seen(), threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.under_way = max(seen.under_way, sandbox.under_way())
            seen.memory = max(seen.memory, memory(processes.of("work")))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def memory(processes: list[psutil.Process]) -> int:
    """Bytes of these processes; a page that several share counts once."""
    return sum(process.memory_full_info().pss for process in processes)


def _is_over(task: Task) -> bool:
    task.refresh_from_db()
    return task.is_over


def _peak() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PEAK)
        return cursor.fetchone()[0]
