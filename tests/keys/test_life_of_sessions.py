"""A call extends the life of its session, as a heartbeat does: no client sends heartbeats."""

from datetime import timedelta

import pytest

from keys import services as keys
from keys.models import Allocation
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, complete, hold, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def lent(people):
    """20,000 tokens for an hour."""
    add_key("nvidia-1")
    return allocate(tokens=20_000)


def expires(allocation):
    """When it ends, as the database has it."""
    return Allocation.objects.get(pk=allocation.pk).expires_at


def call(allocation, tokens, *, begun, ended):
    """A call that is held and settled at these moments."""
    settle(hold(allocation, 1_000, now=begun), tokens, now=ended)


@pytest.mark.parametrize("ttl", [60, 3_600, 28_800, 86_400])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_settled_call_gives_the_time_that_was_asked_for_anew(ttl, part, people):
    add_key("nvidia-1")
    lent = allocate(tokens=20_000, ttl_seconds=ttl)
    later = NOON + timedelta(seconds=ttl * part)
    call(lent, 10, begun=later, ended=later)
    assert expires(lent) == later + timedelta(seconds=ttl)
    assert_books_balance()


def test_a_session_that_goes_on_never_ends(lent):
    for turn in range(1, 9):
        call(lent, 10, begun=NOON + turn * 50 * MINUTE, ended=NOON + turn * 50 * MINUTE)
        assert keys.expire_allocations(now=NOON + turn * 50 * MINUTE) == 0
    assert keys.expire_allocations(now=NOON + 8 * 50 * MINUTE + HOUR) == 1
    assert_books_balance()


def test_usage_that_an_agent_reports_counts_as_a_call(lent):
    report(lent, 100, now=NOON + 30 * MINUTE)
    assert expires(lent) == NOON + 90 * MINUTE


@pytest.mark.parametrize("seconds", [0, 1, 60, 179])
def test_a_gain_of_less_than_a_twentieth_is_left(lent, seconds):
    moment = NOON + timedelta(seconds=seconds)
    call(lent, 10, begun=moment, ended=moment)
    assert expires(lent) == NOON + HOUR


def test_a_call_never_shortens_a_life(lent):
    keys.extend(allocation_id=lent.pk, ttl_seconds=86_400, actor=ACTOR, now=NOON)
    call(lent, 10, begun=NOON + HOUR, ended=NOON + HOUR)
    assert expires(lent) == NOON + 24 * HOUR


def test_a_call_that_cost_nothing_does_not_extend_it(lent):
    charge = hold(lent, 1_000, now=NOON + 30 * MINUTE)
    keys.release(charge=charge, now=NOON + 31 * MINUTE)
    assert expires(lent) == NOON + HOUR


def test_a_hold_that_nobody_settled_does_not_extend_it(lent):
    hold(lent, 1_000, now=NOON)
    assert keys.expire_charges(now=NOON + 40 * MINUTE) == 1
    assert expires(lent) == NOON + HOUR


def test_what_has_expired_stays_so_also_before_the_sweep(lent):
    charge = hold(lent, 1_000, now=NOON + 59 * MINUTE)
    settle(charge, 10, now=NOON + 61 * MINUTE)
    assert expires(lent) == NOON + HOUR
    assert keys.expire_allocations(now=NOON + 61 * MINUTE) == 1
    assert_books_balance()


def test_what_is_completed_stays_so(lent):
    charge = hold(lent, 1_000)
    complete(lent)
    settle(charge, 10, now=NOON + 30 * MINUTE)
    assert expires(lent) == NOON + HOUR
    assert_books_balance()


def test_a_request_that_names_no_time_is_left_as_it_is(lent):
    Allocation.objects.update(asked={"tokens": 20_000})
    call(lent, 10, begun=NOON + 30 * MINUTE, ended=NOON + 30 * MINUTE)
    assert expires(lent) == NOON + HOUR
