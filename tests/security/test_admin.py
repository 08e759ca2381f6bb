"""The audit in the admin: filtered, searched by subject, and only read."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from security import audit
from security.actor import Actor
from security.audit_actions import Action
from security.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "admin:security_auditentry_changelist"


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def entries(noon):
    """One of a person's about a key, one of a job's about another."""
    person = audit.record(
        actor=Actor.person("olga", address="192.0.2.7", request_id="req-1"),
        action=Action.VAULT_REKEY,
        subject="key:nvidia-1",
        related=["agent:ada"],
        before={"amount": 1000, "enabled": True},
        after={"amount": 2000, "enabled": True},
        reason="<b>more</b>",
        at=noon,
    )
    job = audit.record(
        actor=Actor.job("sweep"), action=Action.VAULT_PRUNE, subject="key:groq-1", at=noon
    )
    return person, job


def listed(staff, **query):
    """The entries on the page, by who made them."""
    return {entry.actor for entry in staff.get(reverse(LIST), query).context["cl"].queryset}


@pytest.mark.parametrize(
    ("query", "actors"),
    [
        ({}, {"olga", "sweep"}),
        ({"action": "vault.rekey"}, {"olga"}),
        ({"actor_kind__exact": "job"}, {"sweep"}),
        ({"at__lt": "2026-03-10"}, set()),
        ({"q": "key:groq-1"}, {"sweep"}),
        ({"q": " agent:ada "}, {"olga"}),
        ({"q": "key:nvidia"}, set()),
    ],
)
def test_entries_are_filtered_and_found_by_subject(staff, entries, query, actors):
    assert listed(staff, **query) == actors


def test_the_list_and_the_page_say_what_changed(staff, entries):
    for address in (
        reverse(LIST),
        reverse("admin:security_auditentry_change", args=[entries[0].pk]),
    ):
        content = staff.get(address).content.decode()
        assert "<del>1,000</del>" in content and "<ins>2,000</ins>" in content
        assert "<dt>enabled</dt>" not in content, "that did not change"
        assert "&lt;b&gt;more&lt;/b&gt;" in content
        assert "agent:ada" in content
    assert "192.0.2.7" in content and "req-1" in content


def test_a_list_of_many_entries_costs_as_many_queries_as_one_of_few(
    staff, entries, noon, django_assert_max_num_queries
):
    audit.record_many(
        audit.entry(
            actor=Actor.job("sweep"), action=Action.VAULT_REKEY, subject=f"key:{n}", at=noon
        )
        for n in range(60)
    )
    with django_assert_max_num_queries(8):
        staff.get(reverse(LIST))


def test_entries_cannot_be_added_changed_or_deleted_by_hand(staff, entries):
    pk = entries[0].pk
    for name, args in (("add", []), ("change", [pk]), ("delete", [pk])):
        address = reverse(f"admin:security_auditentry_{name}", args=args)
        assert staff.post(address, {"post": "yes", "reason": "x"}).status_code == 403
    assert AuditEntry.objects.count() == 2


def test_the_audit_is_shown_only_with_its_permission(client, entries):
    client.force_login(get_user_model().objects.create_user("carol", is_staff=True))
    assert client.get(reverse(LIST)).status_code == 403
