"""Tasks through OpenClaw: every token is metered by Butler, and each end is as designed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.utils import timezone

from keys.models import Slot
from orchestration import services
from orchestration.models import Attempt, Concurrency, SubTask, Task
from orchestration.queries.results import results
from orchestration.worker import loop, work_until_done
from tests.actors import ACTOR
from tests.openclaw.gateway import SLOTS
from tests.orchestration.work import (
    assert_finalized,
    kinds,
    result_of,
    run_until_done,
    say,
    statuses,
    submit,
)
from tests.threads import wait_until

STALLS = {"output": 60, "stall": "mid"}


@pytest.fixture
def sandbox(sandbox):
    """The provider; at the end no slot is taken."""
    Concurrency.objects.create(scope="runner:openclaw", attempts_max=SLOTS)
    yield sandbox
    assert not Slot.objects.exclude(allocation=None).exists()


def asked(*sub_tasks, **changes) -> Task:
    """A task for OpenClaw."""
    usual = {"runner": "openclaw", "budget": 1_000_000, "max_concurrent": SLOTS}
    return submit(*sub_tasks, **{**usual, **changes})


@contextmanager
def working(**options):
    """A worker beside; at the end it has left, or found nothing more to do."""
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(work_until_done, **options)
        yield
        done.result(timeout=180)


def under_way(sandbox, calls: int) -> None:
    """Until the provider works on so many calls."""
    wait_until(lambda: sandbox.under_way() == calls, seconds=60)


def billed(sandbox) -> int:
    """Tokens that the provider saw."""
    return sum(row["input"] + row["output"] for row in sandbox.log())


def test_ten_parts_in_parallel_and_every_token_is_metered(sandbox):
    parts = [say(f"part {n}", output=20 + n, latency_ms=1500) for n in range(10)]
    task = run_until_done(asked(*parts))
    assert (task.status, statuses(task)) == ("completed", ["succeeded"] * 10)
    attempts = list(Attempt.objects.filter(task=task).select_related("allocation"))
    log = sandbox.log()
    assert len(attempts) == len(log) == 10
    assert task.used == sum(a.allocation.used for a in attempts) == billed(sandbox)
    assert task.used == results(task).tokens
    assert {a.facts["slot"] for a in attempts} == {f"slot{n:02}" for n in range(1, 11)}
    for each in attempts:
        usage = each.facts["usage"]
        assert each.used_tokens == usage["input"] + usage["output"], "OpenClaw counts the same"
    said = map(result_of, SubTask.objects.filter(task=task).order_by("position"))
    assert [len(result.split()) for result in said] == [20 + n for n in range(10)]
    assert_finalized(task)


def test_a_part_whose_budget_is_used_up_fails_and_the_others_do_not(sandbox):
    small = {"description": "analyze", "estimated_tokens": 1_000, "priority": "low"}
    large = {"description": "gather", "estimated_tokens": 100_000}
    task = run_until_done(asked(small, large, budget=50_000, retry_on_failure=False))
    assert (task.status, statuses(task)) == ("partial", ["failed", "succeeded"])
    failed = SubTask.objects.get(task=task, status="failed")
    assert failed.error_kind == "budget_exhausted"
    assert "tokens are left" in failed.error
    assert len(sandbox.log()) == 1
    assert_finalized(task)


def test_a_part_that_runs_too_long_is_ended(sandbox):
    task = run_until_done(asked(say(**STALLS), running_timeout=8, retry_on_failure=False))
    assert (task.status, kinds(task)) == ("failed", ["timeout"])
    assert sandbox.under_way() == 0
    assert_finalized(task)


def test_a_cancelled_task_stops_its_children_at_once(sandbox):
    task = asked(say(**STALLS), say(**STALLS))
    with working():
        under_way(sandbox, 2)
        services.cancel(task_id=task.pk, actor=ACTOR, now=timezone.now())
        wait_until(lambda: sandbox.under_way() == 0, seconds=5)
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("cancelled", ["cancelled"] * 2)
    assert_finalized(task)


def test_when_openclaw_is_killed_its_children_are_begun_anew(openclaw, sandbox):
    sandbox.fault(key="key-1", times=2, **STALLS)
    task = asked("gather", "analyze")
    with working():
        under_way(sandbox, 2)
        openclaw.kill()
        openclaw.start()
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("completed", ["succeeded"] * 2)
    assert kinds(task).count("lost") == 2
    assert sum(SubTask.objects.filter(task=task).values_list("recoveries", flat=True)) == 2
    assert_finalized(task)


def test_when_a_worker_leaves_another_one_waits_for_the_same_child(sandbox, monkeypatch):
    monkeypatch.setattr(loop, "_LEAVING_SECONDS", 0.1)
    task = asked(say(output=40, slow_ms=100))
    leaving = threading.Event()
    with working(leaving=leaving):
        under_way(sandbox, 1)
        leaving.set()
    assert Attempt.objects.get().status == "running"
    assert Slot.objects.exclude(allocation=None).count() == 1
    task = run_until_done(task)
    assert (task.status, statuses(task)) == ("completed", ["succeeded"])
    assert Attempt.objects.get().fence == 2
    assert len(sandbox.log()) == 1
    assert_finalized(task)
