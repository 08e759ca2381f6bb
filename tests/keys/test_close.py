"""The end of allocations, and more time."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from keys import services as keys
from keys.models import Allocation, Window
from keys.refusals import AllocationClosed, AllocationNotFound, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, complete, hold, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def fail(allocation, *, now=NOON):
    """The agent gives up."""
    return keys.fail(allocation_id=allocation.pk, reason="no idea", actor=ACTOR, now=now)


def extend(allocation, seconds, *, now=NOON):
    """A heartbeat."""
    return keys.extend(allocation_id=allocation.pk, ttl_seconds=seconds, actor=ACTOR, now=now)


@pytest.fixture
def lent(people):
    """20,000 tokens for an hour."""
    add_key("nvidia-1")
    return allocate(tokens=20_000)


def test_a_completed_allocation_gives_back_what_it_does_not_hold(lent):
    report(lent, 3_000)
    hold(lent, 1_000)
    done = complete(lent)
    assert (done.status, done.closed_at) == ("completed", NOON)
    window = Window.objects.get()
    assert (window.used, window.committed) == (3_000, 1_000)
    assert_books_balance()


def test_completing_twice_is_once_and_failing_after_it_is_refused(lent):
    complete(lent)
    assert complete(lent, now=NOON + MINUTE).closed_at == NOON
    with pytest.raises(AllocationClosed) as refusal:
        fail(lent)
    assert refusal.value.status == "completed"
    assert AuditEntry.objects.filter(action="allocation.close").count() == 1
    assert_books_balance()


def test_a_closed_allocation_cannot_be_opened_again_by_anyone(lent):
    complete(lent)
    rows = Allocation.objects.filter(pk=lent.pk)
    rows.update(status="completed", status_reason="corrected")
    with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
        rows.update(status="active", closed_at=None)


def test_a_failed_allocation_says_why(lent):
    assert fail(lent).status_reason == "no idea"
    assert fail(lent).status == "failed"
    with pytest.raises(AllocationClosed):
        complete(lent)
    assert_books_balance()


def test_an_allocation_is_expired_by_the_sweep_once(lent):
    hold(lent, 1_000, ttl_seconds=86_400)
    assert keys.expire_allocations(now=NOON + HOUR - MINUTE) == 0
    assert [keys.expire_allocations(now=NOON + HOUR) for _ in range(2)] == [1, 0]
    assert Allocation.objects.get().status == "expired"
    assert Window.objects.get().committed == 1_000
    assert_books_balance()


def test_a_call_may_outlive_its_allocation(lent):
    charge = hold(lent, 1_000, now=NOON + HOUR - MINUTE)
    keys.expire_allocations(now=NOON + HOUR)
    assert settle(charge, 800, now=NOON + HOUR + MINUTE) == 1
    window = Window.objects.get()
    assert (window.used, window.committed) == (800, 0)
    assert_books_balance()


def test_an_allocation_over_midnight_is_expired_in_the_new_window(lent):
    keys.expire_allocations(now=NOON + 20 * HOUR)
    assert [window.committed for window in Window.objects.all()] == [0, 0]
    assert_books_balance()


def test_a_heartbeat_gives_more_time_and_never_less(lent):
    assert extend(lent, 7200).expires_at == NOON + 2 * HOUR
    assert extend(lent, 60).expires_at == NOON + 2 * HOUR
    assert AuditEntry.objects.filter(action="allocation.extend").count() == 1
    assert keys.expire_allocations(now=NOON + HOUR) == 0
    assert_books_balance()


def test_the_dead_are_not_extended(lent):
    with pytest.raises(AllocationClosed):
        extend(lent, 7200, now=NOON + HOUR)
    complete(lent)
    with pytest.raises(AllocationClosed):
        extend(lent, 7200)
    assert_books_balance()


def test_what_cannot_be_is_refused(lent):
    unknown = Allocation(pk=10**9)
    for service in (complete, fail, lambda a: extend(a, 60)):
        with pytest.raises(AllocationNotFound):
            service(unknown)
    for seconds in (0, -1, 10**9):
        with pytest.raises(WrongValue):
            extend(lent, seconds)
