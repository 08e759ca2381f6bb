"""Every change of a task under way and of concurrency limits is in the audit."""

from datetime import timedelta

import pytest

from orchestration import services
from security.models import AuditEntry
from tests.actors import ADA, GRACE
from tests.moments import NOON
from tests.orchestration.work import submit

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(minutes=1)


def audit_entries(subject):
    """Action, actor, and the two sides of each entry about `subject`, the oldest first."""
    return [
        (entry.action, entry.actor, entry.before, entry.after)
        for entry in AuditEntry.objects.about(subject).order_by("pk")
    ]


def test_who_pauses_resumes_cancels_and_retries_a_task_is_recorded_once_each(people):
    task = submit("Draw", budget=1000)
    asked = {"task_id": task.pk, "now": LATER}
    for _ in range(2):
        services.pause(actor=ADA, **asked)
    for _ in range(2):
        services.resume(actor=GRACE, **asked)
    for _ in range(2):
        services.cancel(actor=ADA, **asked)
    services.retry_failed(actor=GRACE, additional_budget=500, **asked)
    changes = [
        (action, actor, before["status"], after["status"])
        for action, actor, before, after in audit_entries(f"task:{task.pk}")
    ]
    assert changes == [
        ("task.pause", "ada", "active", "paused"),
        ("task.resume", "grace", "paused", "active"),
        ("task.cancel", "ada", "active", "cancelled"),
        ("task.retry", "grace", "cancelled", "active"),
    ]
    entry = AuditEntry.objects.first()
    assert entry.subjects == [f"task:{task.pk}", "agent:ada", "centre:research"]
    assert (entry.before["budget"], entry.after["budget"]) == (1000, 1500)
    assert entry.actor_kind == "person"


def test_who_approves_a_sub_task_is_recorded_once(people):
    task = submit({"description": "Print", "needs_approval": True})
    [sub_task] = task.sub_tasks.all()
    for actor in (GRACE, ADA):
        services.approve(task_id=task.pk, key=sub_task.key, actor=actor, now=LATER)
    assert audit_entries(f"sub_task:{sub_task.pk}") == [
        (
            "sub_task.approve",
            "grace",
            {"status": "gated", "approved": False},
            {"status": "waiting", "approved": True},
        )
    ]
    entry = AuditEntry.objects.get(action="sub_task.approve")
    assert entry.subjects[1:] == [f"task:{task.pk}", "agent:ada"]


def test_a_concurrency_limit_is_recorded_when_it_is_set_changed_and_removed(people):
    """O47."""
    by = {"actor": GRACE, "now": NOON}
    for most in (3, 3, 5):
        services.set_concurrency("centre:research", attempts_max=most, reason=f"{most} fit", **by)
    for _ in range(2):
        services.remove_concurrency("centre:research", reason="no longer", **by)
    three, five = {"attempts_max": 3}, {"attempts_max": 5}
    expected = [
        ("concurrency_limit.set", "grace", None, three),
        ("concurrency_limit.set", "grace", three, five),
        ("concurrency_limit.remove", "grace", five, None),
    ]
    assert audit_entries("concurrency:centre:research") == expected
    assert AuditEntry.objects.get(action="concurrency_limit.remove").reason == "no longer"
    # Beside the creation of the cost centre and its agents, which other tests look at.
    about_centre = [entry for entry in audit_entries("centre:research") if "limit" in entry[0]]
    assert about_centre == expected


def test_a_limit_of_everything_concerns_nothing_else(people):
    services.set_concurrency("all", attempts_max=3, reason="few", actor=GRACE, now=NOON)
    entry = AuditEntry.objects.get(action="concurrency_limit.set")
    assert entry.subjects == ["concurrency:all"]
