"""Two hosts with clocks apart: nothing is taken over wrongly, and the skew is told."""

import socket
import threading
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from butler_site import clock_watch
from common import database_clock
from keys import jobs as keys_jobs
from keys.models import Allocation, Charge
from orchestration import jobs, services
from orchestration.models import Attempt
from orchestration.worker import database, loop, work_until_done
from tests.api.caller import Caller, token_of
from tests.keys.builders import add_key, hold
from tests.orchestration.work import assert_finalized, say, submit
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class _Shifted:
    """`timezone` of a host whose clock is wrong."""

    def __init__(self, seconds):
        self._by = timedelta(seconds=seconds)

    def now(self):
        return timezone.now() + self._by


def shift(monkeypatch, seconds):
    monkeypatch.setattr(database_clock, "timezone", _Shifted(seconds))


def work_once(seconds=0):
    """A worker of a host whose clock is wrong by so much looks for work."""
    clock = database_clock.DatabaseClock()
    database._at(clock, services.sweep)
    return database._at(clock, services.take_over, worker="other", most=10)


@pytest.mark.parametrize("seconds", [90, -90, 30, 3_600])
def test_a_worker_with_a_wrong_clock_takes_nothing_over(office, monkeypatch, seconds):
    """O40."""
    task = submit(say("gather", latency_ms=2_500), max_retries=0)
    worker = threading.Thread(target=_work)
    worker.start()
    wait_until(lambda: office.under_way() == 1)
    shift(monkeypatch, seconds)
    assert work_once() == []
    worker.join(timeout=60)
    task.refresh_from_db()
    attempt = Attempt.objects.get()
    assert (task.status, attempt.fence) == ("completed", 1)
    skewed = Alert.objects.get(kind="clock_skewed")
    way = "ahead of" if seconds > 0 else "behind"
    assert f"{abs(seconds)}.0 s {way} the clock of the database" in skewed.detail
    assert skewed.facts["host"] == socket.gethostname()
    assert_finalized(task)


def _work():
    try:
        work_until_done()
    finally:
        connection.close()


def test_its_own_work_has_the_time_of_the_database(office, monkeypatch):
    shift(monkeypatch, 90)
    task = submit(say("gather"))
    work_until_done()
    task.refresh_from_db()
    attempt = Attempt.objects.get()
    assert task.status == "completed"
    assert abs(attempt.created_at - timezone.now()) < timedelta(seconds=30)
    assert abs(task.ended_at - timezone.now()) < timedelta(seconds=30)


def test_the_job_tells_it_and_forgets_it(people, monkeypatch):
    """O40."""
    shift(monkeypatch, -90)
    jobs.maintain_tasks()
    assert "90.0 s behind" in Alert.objects.get().detail
    monkeypatch.undo()
    jobs.maintain_tasks()
    assert Alert.objects.get().status == "resolved"


def test_a_clock_that_is_set_while_it_works_has_no_effect(people, monkeypatch):
    clock = database_clock.DatabaseClock()
    assert clock.refresh()
    assert not clock.refresh()
    shift(monkeypatch, 600)
    assert abs(clock.now() - timezone.now()) < timedelta(seconds=2)
    assert loop.Worker


@pytest.fixture
def process_clock():
    yield database_clock.PROCESS_CLOCK
    database_clock.PROCESS_CLOCK.forget()


@pytest.mark.parametrize("seconds", [150, -150, -86_400])
def test_a_host_with_a_wrong_clock_gives_and_judges_ends_by_the_shared_one(
    people, process_clock, seconds
):
    """O40: a web server gives a session and a hold their ends, and the queue ends what is over."""
    add_key("nvidia-1")
    right = timezone.now()
    with time_machine.travel(right + timedelta(seconds=seconds), tick=True):
        clock_watch.look()
        lent = Caller(token_of("ada")).post("/allocations", tokens=1_000, ttl_seconds=100).json()
        hold(Allocation.objects.get(), 10, ttl_seconds=100, now=database_clock.now())
        keys_jobs.expire()
    allocation, charge = Allocation.objects.get(), Charge.objects.get()
    assert (allocation.status, charge.status) == ("active", "held")
    for end in (datetime.fromisoformat(lent["expires_at"]), charge.expires_at):
        assert abs(end - right - timedelta(seconds=100)) < timedelta(seconds=30)
    skewed = Alert.objects.get(kind="clock_skewed")
    assert (skewed.facts["host"], skewed.status) == (socket.gethostname(), "open")
    process_clock.forget()
    clock_watch.look()
    skewed.refresh_from_db()
    assert skewed.status == "resolved"
