"""Many want few slots at the same moment."""

import pytest

from keys import services as keys
from keys.models import Slot
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def supply():
    """Ten slots."""
    make_people()
    add_key("nvidia-1", per_day=10_000_000)
    keys.add_slots(10, runner="openclaw", actor=ACTOR, now=NOON)


def take(allocation):
    """Seat an allocation; the name of its slot."""
    slot = keys.take_slot(runner="openclaw", allocation_id=allocation.pk, now=NOON)
    return slot and slot.pk


def test_fifty_for_ten_slots_are_ten_with_one_each(at_once):
    allocations = [allocate() for _ in range(50)]
    slots = at_once(lambda number: take(allocations[number]), times=50)
    assert sorted(filter(None, slots)) == [f"slot{n:02}" for n in range(1, 11)]
    assert slots.count(None) == 40
    assert_books_balance()


def test_one_that_asks_many_times_at_once_gets_one_slot(at_once):
    allocation = allocate()
    slots = at_once(lambda _: take(allocation), times=50)
    assert len(set(slots)) == 1
    assert None not in slots
    assert Slot.objects.filter(allocation=None).count() == 9


def test_slots_added_at_once_are_each_recorded_once(at_once):
    at_once(lambda _: keys.add_slots(20, runner="openclaw", actor=ACTOR, now=NOON), times=20)
    entries = AuditEntry.objects.filter(action="slot.add")
    assert sorted(entry.subject for entry in entries) == [f"slot:slot{n:02}" for n in range(1, 21)]


def test_who_takes_and_frees_in_turn_never_finds_two_in_one_slot(at_once):
    allocations = [allocate() for _ in range(50)]

    def sit(number):
        allocation, sat = allocations[number], 0
        while sat < 3:
            if slot := take(allocation):
                freed = keys.free_slot(slug=slot, allocation_id=allocation.pk, now=NOON)
                assert freed, "another thread freed the slot"
                sat += 1
        return sat

    assert at_once(sit, times=50) == [3] * 50
    assert not Slot.objects.exclude(allocation=None).exists()
