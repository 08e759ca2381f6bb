"""Slots: seats for one allocation after the other."""

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.urls import reverse

from keys import services as keys
from keys.books.queries.slots import session_in_slot, slot_of, slot_token, taken_slots
from keys.identity.queries.credentials import session_id_of
from keys.models import Slot
from tests.actors import ACTOR
from tests.keys.builders import add_key, allocate
from tests.moments import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def supply(people):
    """A key to lend on, and two slots."""
    add_key("nvidia-1", per_day=10_000_000)
    keys.add_slots(2, runner="openclaw", actor=ACTOR, now=NOON)


def take(allocation, *, runner="openclaw"):
    """Seat an allocation."""
    return keys.take_slot(runner=runner, allocation_id=allocation.pk, now=NOON)


def free(slot, allocation):
    """Make room where it sits."""
    return keys.free_slot(slug=slot.pk, allocation_id=allocation.pk, now=NOON)


def test_slots_are_added_until_there_are_as_many_as_asked_for():
    assert [slot.pk for slot in keys.add_slots(3, runner="openclaw", actor=ACTOR, now=NOON)] == [
        "slot01",
        "slot02",
        "slot03",
    ]
    assert len(keys.add_slots(1, runner="openclaw", actor=ACTOR, now=NOON)) == 3


def test_each_allocation_gets_a_slot_of_its_own_until_none_is_free():
    first, second, third = allocate(), allocate(), allocate()
    assert [take(first).pk, take(second).pk, take(third)] == ["slot01", "slot02", None]
    assert {s.allocation.session_id for s in taken_slots(runner="openclaw")} == {
        first.session_id,
        second.session_id,
    }


def test_the_same_allocation_gets_the_slot_it_has():
    allocation = allocate()
    assert take(allocation) == take(allocation)
    assert Slot.objects.filter(allocation=None).count() == 1


def test_a_freed_slot_is_taken_again_after_those_that_were_free_for_longer():
    first, second = allocate(), allocate()
    slot = take(first)
    assert free(slot, first)
    assert take(second).pk == "slot02"
    assert take(first).pk == "slot01"


def test_only_who_sits_there_frees_a_slot_and_twice_is_once():
    first, second = allocate(), allocate()
    slot = take(first)
    assert not free(slot, second)
    assert free(slot, first)
    assert not free(slot, first)
    take(second)
    assert take(allocate()) == slot
    assert not free(slot, first), "another allocation has taken the slot"


def test_slots_of_another_program_are_not_taken():
    assert take(allocate(), runner="other") is None


def test_a_slot_has_the_session_of_its_allocation_and_none_when_it_is_free():
    allocation = allocate(refusal_status=400)
    slot = take(allocation)
    session = session_in_slot(slot.pk)
    assert (session.session_id, session.allocation_id) == (allocation.session_id, allocation.pk)
    assert (session.api_key, session.refusal_status) == ("nvidia-1", 400)
    free(slot, allocation)
    assert session_in_slot(slot.pk) is None


def test_a_slots_token_is_its_own_and_no_sessions():
    token = slot_token("slot01")
    assert token.startswith("bk_slot01_")
    assert slot_of(token) == "slot01"
    assert slot_of(token.replace("slot01", "slot02")) is None
    assert session_id_of(token) is None


def test_the_refusal_of_the_gateway_is_kept_until_the_next_allocation_takes_the_slot():
    first, second = allocate(), allocate()
    keys.note_slot_refusal(slug="slot01", code="nobody", detail="is there")
    slot = take(first)
    assert slot.refusal_code == ""
    keys.note_slot_refusal(slug=slot.pk, code="allocation_exhausted", detail="x" * 600)
    slot.refresh_from_db()
    assert (slot.refusal_code, len(slot.refusal)) == ("allocation_exhausted", 500)
    assert take(first).refusal_code == "allocation_exhausted"
    take(second)
    free(slot, first)
    assert take(allocate()).refusal_code == ""


@pytest.mark.parametrize("slug", ["Slot01", "slot-1", "1"])
def test_the_database_refuses_names_that_some_programs_change(slug):
    with pytest.raises(IntegrityError, match="slot_has_a_plain_name"), transaction.atomic():
        Slot.objects.create(slug=slug, runner="openclaw")


def test_the_admin_shows_who_sits_where(client):
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    allocation = allocate()
    take(allocation)
    page = client.get(reverse("admin:keys_slot_changelist")).content.decode()
    assert allocation.session_id in page
    assert client.get(reverse("admin:keys_slot_change", args=["slot01"])).status_code == 200
