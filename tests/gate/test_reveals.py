"""The secret of an API key is shown once, to who asked, after a second person approved."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import ProgrammingError, transaction
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from gate import services as gate
from gate.models import Reveal
from gate.refusals import RevealNotOpen
from keys import services as keys
from security import services as security
from security.models import Approval, AuditEntry
from security.refusals import ApprovalOutdated, SecondPersonNeeded
from tests.actors import ACTOR, GRACE, OLGA
from tests.gate.approvals import person
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
SECRET = "secret-nvidia-1"  # noqa: S105 - what the builder stores


@pytest.fixture
def people_of_keys(people):
    """grace may ask for a secret and decide; so may olga."""
    may = Permission.objects.filter(codename__in=("reveal_secret", "decide_reveal", "view_reveal"))
    for name in ("grace", "olga"):
        person(name).user_permissions.set(may)


@pytest.fixture
def reveal(people_of_keys):
    return gate.ask_reveal(add_key("nvidia-1"), reason="migration", actor=GRACE, now=NOON)


def approve(reveal, *, actor=OLGA, now=NOON):
    security.approve(reveal.approval_id, actor=actor, now=now)
    reveal.refresh_from_db()
    return reveal


def test_it_is_shown_once_recorded_and_alerted(reveal):
    assert gate.show_secret(approve(reveal), actor=GRACE, now=NOON) == SECRET
    with pytest.raises(RevealNotOpen):
        gate.show_secret(reveal, actor=GRACE, now=NOON)
    assert Alert.objects.get(kind="secret_revealed").key_id == "nvidia-1"
    entry = AuditEntry.objects.get(action="secret.reveal")
    assert (entry.actor, entry.after) == ("grace", {"approved_by": "olga"})
    rows = [*AuditEntry.objects.values(), *Approval.objects.values(), *Alert.objects.values()]
    assert SECRET not in str(rows)
    with pytest.raises(ProgrammingError), transaction.atomic():
        Reveal.objects.update(shown_at=None)


def test_it_is_not_shown_before_the_approval_nor_by_the_same_person(reveal):
    with pytest.raises(SecondPersonNeeded):
        approve(reveal, actor=GRACE)
    with pytest.raises(RevealNotOpen):
        gate.show_secret(reveal, actor=GRACE, now=NOON)


@pytest.mark.parametrize(("actor", "after"), [(OLGA, timedelta()), (GRACE, timedelta(minutes=15))])
def test_it_is_shown_to_who_asked_and_soon(reveal, actor, after):
    with pytest.raises(RevealNotOpen):
        gate.show_secret(approve(reveal), actor=actor, now=NOON + after)
    assert not Alert.objects.filter(kind="secret_revealed").exists()


def test_it_is_asked_and_shown_in_the_admin(client, people_of_keys):
    add_key("nvidia-1")
    client.force_login(person("henry", may_decide=False))
    add = reverse("admin:gate_reveal_add")
    assert client.post(add, {"api_key": "nvidia-1", "reason": "x"}).status_code == 403
    grace = Permission.objects.get(codename="reveal_secret").user_set.get(username="grace")
    client.force_login(grace)
    confirm(client, grace, seconds_ago=3600)
    client.post(add, {"api_key": "nvidia-1", "reason": "migration"})
    reveal = Reveal.objects.get()
    show = reverse("admin:gate_reveal_show_secret", args=[reveal.pk])
    confirmed = CONFIRMED | {"reason": "now"}
    assert SECRET not in client.post(show, confirmed, follow=True).content.decode()
    approve(reveal, now=timezone.now())
    page = client.post(show, confirmed)
    assert page["Location"].startswith("/account/confirm/")
    confirm(client, grace)
    page = client.post(show, confirmed)
    assert SECRET in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert SECRET not in client.post(show, confirmed, follow=True).content.decode()


def test_a_secret_that_was_replaced_for_another_address_is_asked_for_again(reveal):
    keys.change_key(
        "nvidia-1",
        changes={"base_url": "https://other.example.org"},
        secret="another-secret",  # noqa: S106 - made up
        actor=ACTOR,
        reason="moved",
        now=NOON,
    )
    with pytest.raises(ApprovalOutdated):
        approve(reveal)
