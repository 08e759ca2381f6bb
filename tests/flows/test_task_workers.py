"""The processes of `manage.py work` are killed one by one, and what they ran goes on."""

from collections import Counter

import psutil
import pytest
from django.utils import timezone
from django_q.models import OrmQ

from orchestration.models import Attempt, Task
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import supply
from tests.orchestration.work import assert_finalized, kinds, say, statuses, submit
from tests.threads import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("races"),
    pytest.mark.django_db(transaction=True),
]

LEASE_SECONDS = 3


@pytest.fixture
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def office(sandbox):
    """A web server and two workers; no queue, whose schedules would wake them each minute."""
    supply("nvidia-1")
    environ = {
        "BUTLER_SANDBOX_URL": f"{sandbox.url}/v1",
        "BUTLER_ATTEMPT_LEASE_SECONDS": str(LEASE_SECONDS),
        "BUTLER_HOLD_SECONDS": "4",
        "BUTLER_TASK_WORKERS": "2",
        "BUTLER_WORKER_ATTEMPTS_MAX": "2",
    }
    started = Processes(only=("web", "work"), environ=environ)
    started.start()
    yield started
    started.kill_all()


def test_a_worker_that_is_killed_while_it_waits_is_replaced_and_starves_nobody(office):
    for _ in range(3):
        wait_until(lambda: len(_workers(office)) == 2)
        for worker in _workers(office):
            worker.kill()
    task = submit("gather", "analyze")
    wait_until(lambda: _is_over(task), seconds=30)
    assert statuses(task) == ["succeeded"] * 2


def test_what_is_too_much_for_one_worker_is_shared(office):
    wait_until(lambda: len(_workers(office)) == 2)
    task = submit(*[say("gather", latency_ms=3000)] * 4, max_concurrent=4)
    wait_until(lambda: _is_over(task), seconds=30)
    workers = Counter(Attempt.objects.values_list("worker", flat=True))
    assert sorted(workers.values()) == [2, 2]


def test_what_a_killed_worker_ran_is_taken_over_and_done(office, sandbox):
    task = submit(say("gather", latency_ms=3000))
    wait_until(lambda: sandbox.under_way() == 1)
    pid = int(Attempt.objects.get().worker.split(":")[1])
    psutil.Process(pid).kill()
    wait_until(lambda: _is_over(task), seconds=30)
    assert statuses(task) == ["succeeded"]
    # The gateway settles what was made of the first call, and cannot give its answer again.
    assert kinds(task) == ["lost", ""]
    wait_until(lambda: not Attempt.objects.filter(finalized_at=None).exists())
    assert_finalized(task)


def test_workers_that_start_again_go_on_at_once_though_nobody_wakes_them(office):
    task = submit(say("gather", latency_ms=3000), "analyze", max_concurrent=1)
    wait_until(lambda: Attempt.objects.filter(handle__isnull=False).exists())
    office.kill("work")
    assert not OrmQ.objects.exists(), "a wake is left"
    office.start()
    wait_until(lambda: _is_over(task), seconds=30)
    assert statuses(task) == ["succeeded"] * 2


def test_a_worker_that_is_stopped_leaves_what_it_runs_to_others_at_once(office):
    task = submit(say("gather", latency_ms=60_000), running_timeout=100)
    wait_until(lambda: Attempt.objects.filter(handle__isnull=False).exists())
    office.terminate()
    attempt = Attempt.objects.get(task=task)
    assert attempt.status == "running"
    assert attempt.leased_until <= timezone.now()


def _workers(office: Processes) -> list[psutil.Process]:
    return office.of("work")[1:]


def _is_over(task: Task) -> bool:
    task.refresh_from_db()
    return task.is_over
