"""A process of the queue is killed while it waits: the queue ends as a whole, and starts again."""

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from tests.flows.processes import Processes
from tests.threads import wait_until

PROCESSES = 6  # The master, its sentinel, two workers, who fetches entries and who keeps results.


@pytest.fixture
def processes():
    """A web server and a queue."""
    started = Processes()
    started.start()
    yield started
    started.kill_all()


@pytest.mark.slow
@pytest.mark.xdist_group("races")
@pytest.mark.django_db(transaction=True)
def test_a_queue_whose_worker_was_killed_works_again_once_it_is_started(processes):
    wait_until(lambda: len(processes.of("queue")) == PROCESSES)
    _run_one()
    master, _, *others = processes.of("queue")
    others[0].kill()
    wait_until(lambda: not any(each.is_running() for each in others))
    master.wait(20)
    processes.start()
    _run_one()
    assert not OrmQ.objects.exists()


def _run_one() -> None:
    async_task("keys.jobs.expire", save=False)
    wait_until(lambda: not OrmQ.objects.exists(), seconds=30)
