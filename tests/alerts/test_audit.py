"""Every write on alerts and channels is in the audit, with who made it, before and after."""

import pytest

from alerts import services
from alerts.models import Channel
from security.models import AuditEntry
from tests.alerts.builders import ADA, BOB, SECRET, SWEEP, channel, raised, recorded
from tests.moments import NOON

pytestmark = pytest.mark.django_db
URL = f"json://hooks.example.org/{SECRET}"
VALUES = {"name": "ops", "service": "json", "severity_min": "info", "kinds": [], "enabled": True}


def test_who_acknowledges_and_who_resolves_an_alert_is_recorded():
    alert = raised(key_id="nvidia-1", agent_id="ada", session_id="s-1")
    services.acknowledge(alert.pk, actor=ADA, note="looking", now=NOON)
    services.acknowledge(alert.pk, actor=BOB, now=NOON)
    services.resolve(alert.pk, actor=BOB, note="done", now=NOON)
    assert recorded(f"alert:{alert.pk}") == [
        ("alert.acknowledge", "ada", {"status": "open"}, {"status": "acknowledged"}),
        ("alert.resolve", "bob", {"status": "acknowledged"}, {"status": "resolved"}),
    ]
    entry = AuditEntry.objects.get(action="alert.acknowledge")
    assert (entry.actor_kind, entry.address, entry.reason) == ("person", "192.0.2.7", "looking")
    assert entry.subjects == [f"alert:{alert.pk}", "key:nvidia-1", "agent:ada", "session:s-1"]


def test_a_note_that_is_longer_than_a_reason_is_cut_in_the_audit_only():
    alert = raised()
    services.resolve(alert.pk, actor=ADA, note="x" * 2000, now=NOON)
    alert.refresh_from_db()
    assert len(alert.resolved_note) == 2000
    assert AuditEntry.objects.get().reason == "x" * 300


def test_a_condition_that_ended_is_recorded_as_the_work_of_a_job():
    alert = raised()
    services.resolve_by_key(alert.dedup_key, actor=SWEEP, now=NOON)
    services.resolve_by_key(alert.dedup_key, actor=SWEEP, now=NOON)
    assert [(entry.action, entry.actor_kind) for entry in AuditEntry.objects.all()] == [
        ("alert.resolve", "job")
    ]


def test_every_change_of_a_channel_is_recorded_without_its_url():
    ops = channel(URL)
    changed = VALUES | {"name": "night", "kinds": ["key_exhausted"]}
    off = changed | {"enabled": False}
    by = {"actor": BOB, "now": NOON}
    for _ in range(2):
        services.change_channel(
            ops.pk, name="night", severity_min="info", kinds=["key_exhausted"], **by
        )
    services.change_channel_url(ops.pk, url=URL, **by)
    services.test_channel(ops.pk, **by)
    for _ in range(2):
        services.disable_channel(ops.pk, **by)
    for _ in range(2):
        services.enable_channel(ops.pk, **by)
    assert recorded(f"channel:{ops.pk}") == [
        ("channel.add", "ada", None, VALUES),
        ("channel.change", "bob", VALUES, changed),
        ("channel.replace_url", "bob", changed, changed),
        ("channel.test", "bob", None, changed),
        ("channel.disable", "bob", changed, off),
        ("channel.enable", "bob", off, changed),
    ]
    assert SECRET not in str(list(AuditEntry.objects.values()))


def test_the_rest_of_a_channel_ends_when_it_is_enabled_though_it_never_was_disabled():
    ops = channel(URL)
    Channel.objects.update(failures=5, rests_until=NOON)
    services.enable_channel(ops.pk, actor=BOB, now=NOON)
    ops.refresh_from_db()
    assert (ops.failures, ops.rests_until) == (0, None)
    assert recorded(f"channel:{ops.pk}")[1] == ("channel.enable", "bob", VALUES, VALUES)
