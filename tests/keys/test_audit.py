"""Every write of keys is in the audit: who did it, to what, and what else it concerns."""

from datetime import timedelta

import pytest

from keys import refusals as keys_refusals
from keys import services as keys
from keys.models import Allocation
from security.actor import Actor
from security.models import AuditEntry
from tests.actors import ACTOR, GRACE
from tests.keys.builders import add_key, limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db
ADA = Actor.agent("ada", address="192.0.2.7", request_id="req-1")


def lend(**changes):
    """Ada's allocation, and whether it was created."""
    wanted = {
        "agent": "ada",
        "request": keys.AllocationRequest(tokens=1000),
        "idempotency_key": "once",
    }
    return keys.allocate(**wanted | changes, actor=ADA, now=NOON)


def entries(action):
    """The entries of an action, in the order in which they were written."""
    return list(AuditEntry.objects.filter(action=action).order_by("id"))


def test_an_allocation_and_its_end_say_who_and_from_where(people):
    add_key("nvidia-1")
    allocation, _ = lend()
    keys.fail(allocation_id=allocation.pk, reason="no luck", actor=ADA, now=NOON)
    (created,), (closed,) = entries("allocation.create"), entries("allocation.close")
    for entry in (created, closed):
        assert (entry.actor, entry.actor_kind) == ("agent:ada", "agent")
        assert (entry.address, entry.request_id) == ("192.0.2.7", "req-1")
        assert entry.subjects == [
            f"session:{allocation.session_id}",
            "agent:ada",
            "key:nvidia-1",
        ]
        assert (entry.at, entry.before) == (NOON, None)
    assert created.after == {"key_id": "nvidia-1", "allocated": 1000}
    assert closed.after == {"status": "failed", "used": 0, "allocated": 1000}
    assert (created.reason, closed.reason) == ("", "no luck")


def test_what_changes_nothing_is_not_in_the_audit(people):
    add_key("nvidia-1")
    allocation, _ = lend()
    before = AuditEntry.objects.count()
    assert lend() == (allocation, False)
    with pytest.raises(keys_refusals.NoKeyCapacity):
        lend(idempotency_key="another", request=keys.AllocationRequest(tokens=2_000_000))
    keys.add_slots(0, runner="openclaw", actor=ACTOR, now=NOON)
    assert AuditEntry.objects.count() == before


def test_several_allocations_closed_at_once_have_an_entry_each(people):
    add_key("nvidia-1")
    sessions = {lend(idempotency_key=str(n))[0].session_id for n in range(3)}
    assert keys.expire_allocations(now=NOON + timedelta(days=400)) == 3
    closed = entries("allocation.close")
    assert {entry.subject for entry in closed} == {f"session:{name}" for name in sessions}
    assert {(entry.actor, entry.actor_kind) for entry in closed} == {("sweep", "job")}
    assert not Allocation.objects.filter(status="active").exists()


def test_new_cost_centres_agents_and_providers_are_in_the_audit(people):
    keys.create_agent_of("dora", cost_centre="lab", actor=GRACE, now=NOON)
    centre, agent, first_limit = AuditEntry.objects.filter(actor_name="grace").order_by("id")
    assert (centre.action, centre.subject) == ("cost_centre.create", "centre:lab")
    assert centre.after == {"name": "lab", "parent": "org"}
    assert (agent.action, agent.subjects) == ("agent.create", ["agent:dora", "centre:lab"])
    assert (first_limit.action, first_limit.subject) == ("limit.set", "agent:dora")
    add_key("nvidia-1")
    add_key("nvidia-2")
    (provider,) = entries("provider.create")
    assert (provider.subject, provider.actor) == ("provider:nvidia", "test")
    created = [entry.subjects for entry in entries("key.create")]
    assert created == [["key:nvidia-1", "provider:nvidia"], ["key:nvidia-2", "provider:nvidia"]]


def test_slots_are_recorded_when_they_are_added():
    keys.add_slots(1, runner="openclaw", actor=GRACE, now=NOON)
    keys.add_slots(2, runner="openclaw", actor=GRACE, now=NOON)
    added = [(entry.subject, entry.after) for entry in entries("slot.add")]
    assert added == [(f"slot:slot0{number}", {"runner": "openclaw"}) for number in (1, 2)]


def test_the_calendar_opens_windows(people):
    limit(add_key("nvidia-1", per_day=None), 5_000)
    tomorrow = NOON + timedelta(days=1)
    assert keys.open_windows(now=tomorrow) == 1
    (entry,) = entries("window.open")
    assert (entry.subject, entry.actor, entry.at) == ("key:nvidia-1", "calendar", tomorrow)
    assert entry.before == {"used": "0", "amount": "5000"}


def test_a_limit_is_named_by_its_unit_and_period(people):
    api_key = add_key("nvidia-1", per_day=None)
    terms = keys.Terms(unit="usd", period="total", amount="12.50")
    given = keys.set_limit(api_key, terms=terms, reason="a gift", actor=GRACE, now=NOON)
    keys.remove_limit(given, reason="used up", actor=GRACE, now=NOON)
    values = {"usd_in_total": "12.5", "zone": "UTC", "reset_hour": 0}
    (given,), (removed,) = entries("limit.set"), entries("limit.remove")
    assert (given.subject, given.before, given.after) == ("key:nvidia-1", None, values)
    assert (removed.before, removed.after, removed.reason) == (values, None, "used up")
