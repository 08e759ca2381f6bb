"""Setting aside before a call."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from keys import services as keys
from keys.models import Agent, Allocation, Charge, Window
from keys.refusals import (
    AllocationClosed,
    AllocationExhausted,
    AllocationNotFound,
    IdempotencyMismatch,
    WrongValue,
)
from keys.supply.pricing import Rates
from tests.books import assert_books_balance
from tests.keys.builders import (
    PAID,
    add_key,
    allocate,
    complete,
    hold,
    limit,
    report,
    rotate,
    settle,
)
from tests.moments import NOON

# Holds repeat by a constraint: the failed INSERT would end the transaction around a test.
pytestmark = pytest.mark.django_db(transaction=True)

# A token costs half of what nine places can say.
DUST = Rates(input=Decimal("0.000000500"), output=Decimal("0.000000500"))


def test_a_hold_is_set_aside_in_its_allocation_and_in_no_window(people):
    add_key("openai-1", rates=PAID)
    allocation = allocate()
    charge = hold(allocation, 400)
    allocation.refresh_from_db()
    assert (allocation.held, allocation.left) == (400, 600)
    assert charge.held_cost == allocation.held_cost == Decimal("0.006")
    assert charge.expires_at == NOON + timedelta(seconds=settings.HOLD_SECONDS)
    assert Window.objects.get().committed == 1000
    assert_books_balance()


def test_a_hold_is_what_it_is_in_the_database(people):
    add_key("openai-1", rates=PAID)
    charge = hold(allocate(), 400, model="model-1")
    kept = Charge.objects.get()
    names = [field.attname for field in Charge._meta.fields]
    assert [getattr(charge, name) for name in names] == [getattr(kept, name) for name in names]


def test_the_last_tokens_can_be_held_and_not_one_more(people):
    add_key("nvidia-1")
    allocation = allocate()
    report(allocation, 300)
    hold(allocation, 300)
    with pytest.raises(AllocationExhausted) as refusal:
        hold(allocation, 401)
    assert refusal.value.left == 400
    # A number in JSON, not a text.
    assert type(refusal.value.left) is type(refusal.value.held) is int
    assert hold(allocation, 400)
    assert_books_balance()


def test_the_same_idempotency_key_is_the_same_hold(people):
    add_key("nvidia-1")
    allocation = allocate()
    first = hold(allocation, 600, idempotency_key="call-1")
    # Also where there is no room for another.
    assert hold(allocation, 600, idempotency_key="call-1") == first
    with pytest.raises(IdempotencyMismatch):
        hold(allocation, 100, idempotency_key="call-1")
    small = hold(allocation, 100, idempotency_key="call-2")
    assert hold(allocation, 100, idempotency_key="call-2") == small
    assert Allocation.objects.get().held == 700
    assert_books_balance()


def test_a_report_under_the_key_of_a_call_is_never_a_second_charge(people):
    add_key("nvidia-1")
    allocation = allocate()
    charge = hold(allocation, 600, idempotency_key="call-1")
    for tokens in (1, 600):
        with pytest.raises(IdempotencyMismatch):
            report(allocation, tokens, idempotency_key="call-1")
    settle(charge, 500)
    with pytest.raises(IdempotencyMismatch):
        report(allocation, 1, idempotency_key="call-1")
    report(allocation, 100, idempotency_key="report-1")
    with pytest.raises(IdempotencyMismatch):
        hold(allocation, 100, idempotency_key="report-1")
    assert sorted(Charge.objects.values_list("tokens", flat=True)) == [100, 500]
    assert_books_balance()


def test_a_repeated_hold_of_a_closed_allocation_is_still_the_same(people):
    add_key("nvidia-1")
    allocation = allocate()
    first = hold(allocation, 600, idempotency_key="call-1")
    complete(allocation)
    assert hold(allocation, 600, idempotency_key="call-1") == first
    with pytest.raises(AllocationClosed):
        hold(allocation, 1)
    assert_books_balance()


def test_nothing_is_held_after_the_time_of_the_allocation(people):
    add_key("nvidia-1")
    allocation = allocate(ttl_seconds=60)
    assert hold(allocation, 1, now=NOON + timedelta(seconds=59))
    with pytest.raises(AllocationClosed) as refusal:
        hold(allocation, 1, now=NOON + timedelta(seconds=60))
    assert refusal.value.status == "expired"
    assert_books_balance()


def test_what_cannot_be_is_refused(people):
    add_key("nvidia-1")
    with pytest.raises(WrongValue):
        hold(allocate(), -1)
    with pytest.raises(AllocationNotFound):
        hold(Allocation(pk=10**9), 1)


def test_many_small_holds_never_cost_more_than_was_committed(people):
    limit(add_key("dust-1", rates=DUST), 1, unit="usd")
    allocation = allocate(tokens=10)
    assert allocation.allocated_cost == Decimal("0.000000005")
    charges = [hold(allocation, 1) for _ in range(10)]
    assert_books_balance()
    for charge in charges:
        keys.settle(charge=charge, usage=keys.Usage(input_tokens=1), now=NOON)
        assert_books_balance()
    assert Allocation.objects.get().used_cost == Decimal("0.000000010")
    assert Window.objects.get(unit="usd").used == Decimal("0.000000010")


def test_a_hold_after_moving_to_a_cheaper_key_leaves_the_windows_alone(people):
    limit(Agent.objects.get(pk="ada"), 100, unit="usd")
    add_key("openai-1", rates=PAID, priority=9)
    add_key("dust-1", rates=DUST)
    allocation = allocate()
    hold(allocation, 500)
    rotate(allocation, "dust-1")
    assert_books_balance()
    hold(allocation, 500)
    assert Allocation.objects.get().held_cost == Decimal("0.007500250")
    assert_books_balance()


def test_a_hold_that_was_extended_in_time_does_not_expire(people):
    add_key("nvidia-1")
    charge = hold(allocate(), 100, ttl_seconds=60)
    later = NOON + timedelta(seconds=61)
    keys.extend_holds([charge.pk], ttl_seconds=60, now=NOON + timedelta(seconds=30))
    # The sweep had it on its list already.
    assert keys.settle_many([keys.Settlement(charge, "expired")], now=later) == 0
    assert keys.expire_charges(now=later) == 0
    assert keys.expire_charges(now=NOON + timedelta(seconds=90)) == 1
    assert_books_balance()
