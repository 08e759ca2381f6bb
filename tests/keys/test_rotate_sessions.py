"""All sessions of a key rotate in a job that can be killed, and says how far it is."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from keys import jobs
from keys import services as keys
from keys.books.services import rotate_sessions as module
from keys.models import Allocation, ApiKey, RotationRun
from tests.actors import GRACE
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, complete
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(minutes=3)


@pytest.fixture
def lent(people):
    """Four sessions on key-1; key-2 has room for two of them."""
    add_key("key-1")
    sessions = [allocate(tokens=20_000) for _ in range(4)]
    add_key("key-2", per_day=55_000)
    return sessions


def ask():
    return keys.ask_rotation(
        ApiKey.objects.get(pk="key-1"), reason="key-1 moves", actor=GRACE, now=NOON
    )


def work(run):
    """What the job does; the run as it is then."""
    keys.rotate_sessions(run.pk, clock=lambda: NOON)
    run.refresh_from_db()
    return run


def on_key_2():
    return Allocation.objects.filter(api_key="key-2").count()


def test_what_fits_moves_and_the_reason_is_said_of_the_rest(lent):
    run, is_new = ask()
    assert is_new
    assert (run.status, run.sessions, run.moved) == ("queued", 4, 0)
    work(run)
    assert (run.status, run.sessions, run.moved, run.stayed) == ("done", 4, 2, 2)
    assert on_key_2() == 2
    assert {each["session"] for each in run.refusals} == {each.session_id for each in lent[2:]}
    assert run.refusals[0]["why"].startswith("No other API key can take the rest")
    assert_books_balance()


def test_a_rotation_that_is_under_way_is_not_begun_twice(lent):
    run, _ = ask()
    assert ask() == (run, False)
    work(run)
    again, is_new = ask()
    assert is_new
    assert again != run
    assert again.sessions == 2


def test_a_second_delivery_of_the_job_changes_nothing(lent):
    run = work(ask()[0])
    assert work(run).attempts == 1
    assert on_key_2() == 2


def test_a_session_that_ends_meanwhile_is_not_counted(lent, monkeypatch):
    run, _ = ask()
    rotate = module.rotate

    def end_first(*, allocation, **about):
        if allocation == lent[0]:
            complete(allocation)
        return rotate(allocation=allocation, **about)

    monkeypatch.setattr(module, "rotate", end_first)
    work(run)
    assert (run.sessions, run.moved, run.stayed) == (3, 2, 1)


@pytest.fixture
def killed(lent, monkeypatch):
    """A run whose job died with its second session, before it was written down."""
    run, _ = ask()
    note = module._note

    def die(run, **about):
        if run.moved == 2:
            raise KeyboardInterrupt
        return note(run, **about)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_note", die)
        work(run)
    run.refresh_from_db()
    assert (run.status, run.moved, on_key_2()) == ("running", 1, 2)
    return run


def test_a_job_that_was_killed_is_gone_on_with(killed):
    OrmQ.objects.all().delete()
    assert keys.resume_rotations(now=NOON + timedelta(minutes=1)) == 0
    assert keys.resume_rotations(now=LATER) == 1
    assert keys.resume_rotations(now=LATER) == 0
    [entry] = [SignedPackage.loads(each.payload) for each in OrmQ.objects.all()]
    assert (entry["func"], entry["args"]) == ("keys.jobs.rotate_sessions", (killed.pk,))
    work(killed)
    assert (killed.status, killed.attempts) == ("done", 2)
    # The one that was not written down is not on the key any more.
    assert (killed.sessions, killed.moved, killed.stayed) == (3, 1, 2)
    assert_books_balance()


def test_a_job_that_was_taken_for_dead_writes_nothing_more(lent, monkeypatch):
    run, _ = ask()
    rotate = module.rotate

    def overtake(**about):
        RotationRun.objects.update(attempts=7)
        return rotate(**about)

    monkeypatch.setattr(module, "rotate", overtake)
    work(run)
    assert (run.status, run.attempts, run.moved) == ("running", 7, 0)
    assert on_key_2() == 1


def test_a_job_that_dies_again_and_again_stops(killed):
    RotationRun.objects.update(attempts=3)
    assert keys.resume_rotations(now=LATER) == 0
    killed.refresh_from_db()
    assert killed.status == "stopped"
    assert ask()[1]


@pytest.mark.django_db(transaction=True)
def test_the_queue_does_it(people):
    add_key("key-1")
    add_key("key-2")
    now = timezone.now()
    allocation = allocate(now=now)
    run, _ = keys.ask_rotation(
        ApiKey.objects.get(pk=allocation.api_key_id), reason="x", actor=GRACE, now=now
    )
    [entry] = drain_queue()
    assert entry["success"]
    run.refresh_from_db()
    assert (run.status, run.moved) == ("done", 1)
    assert jobs.resume_rotations() == 0
