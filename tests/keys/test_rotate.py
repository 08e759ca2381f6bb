"""Moving what is left of an allocation to another key."""

from datetime import timedelta
from decimal import Decimal

import pytest

from keys import services as keys
from keys.models import (
    ROTATION_NEEDED,
    Agent,
    Allocation,
    CostCentre,
    Rotation,
    Window,
)
from keys.refusals import AllocationClosed, ApiKeyNotFound, IdempotencyMismatch, RotationRefused
from security.models import AuditEntry
from tests.actors import ACTOR
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

pytestmark = pytest.mark.django_db


def committed(scope, unit="tokens"):
    """What the open window of a scope has committed."""
    return Window.objects.get(scope=scope, unit=unit, closed_at=None).committed


def test_what_is_left_moves_to_the_best_other_key(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2", priority=5)
    add_key("nvidia-3")
    allocation = allocate(tokens=20_000)
    report(allocation, 5_000)
    rotation = rotate(allocation)
    assert (rotation.from_key_id, rotation.to_key_id) == ("nvidia-1", "nvidia-2")
    assert rotation.moved_tokens == 15_000
    assert (committed("key:nvidia-1"), committed("key:nvidia-2")) == (0, 15_000)
    entry = AuditEntry.objects.get(action="allocation.rotate")
    assert (entry.before, entry.after["key_id"]) == ({"key_id": "nvidia-1"}, "nvidia-2")
    assert entry.subjects[1:] == ["agent:ada", "key:nvidia-2", "key:nvidia-1"]
    assert_books_balance()


def test_the_key_asked_for_gets_it(people):
    for number in (1, 2, 3):
        add_key(f"nvidia-{number}", priority=-number)
    rotation = rotate(allocate(), "nvidia-3")
    assert (rotation.to_key_id, rotation.asked_key) == ("nvidia-3", "nvidia-3")
    assert_books_balance()


def test_a_caller_that_read_the_key_before_gets_the_rotation_that_happened(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    seen = allocate()
    assert rotate(seen) == rotate(seen) == rotate(seen, "nvidia-2")
    assert Rotation.objects.count() == 1
    # A caller that has read the new key asks for another move.
    assert rotate(Allocation.objects.get()).to_key_id == "nvidia-1"
    assert_books_balance()


def test_the_same_idempotency_key_is_the_same_rotation(people):
    for number in (1, 2, 3):
        add_key(f"nvidia-{number}")
    first = rotate(allocate(), "nvidia-2", idempotency_key="once")
    again = Allocation.objects.get()
    assert rotate(again, "nvidia-2", idempotency_key="once") == first
    with pytest.raises(IdempotencyMismatch):
        rotate(again, "nvidia-3", idempotency_key="once")
    assert_books_balance()


def test_a_dearer_key_needs_room_in_the_usd_limits_of_the_payers(people):
    add_key("nvidia-1", priority=9)
    add_key("openai-1", rates=PAID)
    ada = Agent.objects.get(pk="ada")
    limit(ada, "0.29", unit="usd")
    allocation = allocate(tokens=20_000)
    with pytest.raises(RotationRefused):
        rotate(allocation, "openai-1")
    with pytest.raises(RotationRefused):
        rotate(allocation)
    allocation.refresh_from_db()
    assert allocation.api_key_id == "nvidia-1"
    assert_books_balance()
    limit(ada, "0.30", unit="usd")
    rotate(allocation, "openai-1")
    assert committed("agent:ada", "usd") == Decimal("0.3")
    assert_books_balance()


def test_a_key_the_payers_cannot_pay_does_not_hide_one_that_they_can(people):
    add_key("nvidia-1", priority=9)
    add_key("openai-1", rates=PAID, priority=5)
    add_key("nvidia-2")
    limit(CostCentre.objects.get(pk="org"), "0.01", unit="usd")
    assert rotate(allocate(tokens=20_000)).to_key_id == "nvidia-2"
    assert_books_balance()


def test_a_cheaper_key_gives_usd_back(people):
    add_key("openai-1", rates=PAID, priority=9)
    add_key("nvidia-1")
    limit(Agent.objects.get(pk="ada"), 1, unit="usd")
    allocation = allocate(tokens=20_000)
    report(allocation, 10_000)
    rotate(allocation)
    assert committed("agent:ada", "usd") == 0
    report(allocation, 1_000)
    assert Allocation.objects.get().used_cost == Decimal("0.03")
    assert_books_balance()


def test_calls_in_flight_stay_on_their_key_and_come_back_with_it(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    allocation = allocate(tokens=20_000)
    charge = hold(allocation, 3_000)
    rotate(allocation)
    assert (committed("key:nvidia-1"), committed("key:nvidia-2")) == (3_000, 20_000)
    assert_books_balance()
    rotate(Allocation.objects.get())
    assert (committed("key:nvidia-1"), committed("key:nvidia-2")) == (20_000, 0)
    assert_books_balance()
    settle(charge, 2_000)
    assert committed("key:nvidia-1") == 18_000
    assert_books_balance()


def test_where_no_key_has_room_nothing_changes(people):
    add_key("nvidia-1", priority=9)
    allocation = allocate(tokens=50_000)
    with pytest.raises(RotationRefused):
        rotate(allocation)
    add_key("nvidia-2", per_day=49_999)
    with pytest.raises(RotationRefused):
        rotate(allocation)
    with pytest.raises(RotationRefused):
        rotate(allocation, "nvidia-2")
    assert not Rotation.objects.exists()
    assert (committed("key:nvidia-1"), committed("key:nvidia-2")) == (50_000, 0)
    assert_books_balance()


def test_what_cannot_be_is_refused(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    allocation = allocate(ttl_seconds=60)
    with pytest.raises(ApiKeyNotFound):
        rotate(allocation, "nobody")
    with pytest.raises(RotationRefused):
        rotate(allocation, "nvidia-1")
    with pytest.raises(AllocationClosed):
        rotate(allocation, now=NOON + timedelta(seconds=60))
    keys.set_key_status("nvidia-2", status="inactive", reason="test", actor=ACTOR, now=NOON)
    with pytest.raises(RotationRefused):
        rotate(allocation, "nvidia-2")
    complete(allocation)
    with pytest.raises(AllocationClosed):
        rotate(allocation)
    assert_books_balance()


def test_rotation_is_needed_from_the_threshold_until_it_happened(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2", priority=5)
    allocation = allocate(tokens=20_000, auto_rotate=False)
    rotate(allocation)
    assert not Allocation.objects.get().rotation_needed
    report(allocation, 15_000, now=NOON + timedelta(minutes=1))
    allocation.refresh_from_db()
    assert allocation.rotation_needed
    assert Allocation.objects.filter(ROTATION_NEEDED).exists()
    rotate(allocation, now=NOON + timedelta(minutes=2))
    assert not Allocation.objects.get().rotation_needed
    assert not Allocation.objects.filter(ROTATION_NEEDED).exists()
    assert_books_balance()
