"""Deputies on pages: named by the person or for them, and what the deputy sees and decides."""

from datetime import timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from keys.models import Agent, Organisation
from orchestration import services as orchestration
from orchestration.refusals import NotADeputy
from security import services as security
from security.actor import Actor
from security.models import Approval, ApprovalPolicy, AuditEntry, Delegation
from tests.actors import GRACE, OLGA
from tests.dashboard.test_approvals import propose, submit
from tests.keys.builders import limit

pytestmark = pytest.mark.django_db
PAGE = "/settings/me"


@pytest.fixture
def office(people, client, now):
    """Olga and grace may do everything; bob, who has no role, is signed in."""
    limit(Agent.objects.get(pk="ada"), 1_000, now=now)
    ApprovalPolicy.objects.update_or_create(kind="limit", defaults={"in_force_since": now})
    users = get_user_model().objects
    for name in ("olga", "grace"):
        users.create_superuser(name, f"{name}@example.org")
    return users.create_user("bob", "bob@example.org", is_staff=True)


@pytest.fixture
def away(office, now):
    """Bob decides for olga."""
    terms = security.DelegationTerms(starts_at=now, ends_at=now + timedelta(days=2))
    olga = get_user_model().objects.get(username="olga")
    return security.name_deputy(olga, office, terms=terms, reason="leave", actor=OLGA, now=now)


def html_of(client, path="/approvals"):
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def sign_in(client, name):
    client.force_login(get_user_model().objects.get(username=name))


def form(deputy, now, days=3, **changes):
    today = now.date()
    return {
        "deputy": deputy.pk,
        "first_day": f"{today}",
        "last_day": f"{today + timedelta(days=days)}",
        "cost_centre": "",
        "reason": "on leave",
    } | changes


def test_a_person_names_a_deputy_in_days_of_the_reporting_zone_and_revokes_it(office, client, now):
    Organisation.objects.update_or_create(pk=1, defaults={"reporting_zone": "Asia/Tokyo"})
    sign_in(client, "olga")
    assert "Nobody decides for you" in html_of(client, PAGE)
    assert 'name="last_day"' in html_of(client, f"{PAGE}?act=deputy")
    asked = form(office, now + timedelta(hours=9), cost_centre="research")
    answer = client.post(f"{PAGE}?act=deputy", asked, follow=True)
    html = unescape(answer.content.decode())
    assert "bob decides for olga" in html
    assert "“on leave”" in html
    found = Delegation.objects.get()
    end = found.ends_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert (f"{end:%Y-%m-%d %H:%M}", found.cost_centre) == (
        f"{(now + timedelta(hours=9)).date() + timedelta(days=4)} 00:00",
        "research",
    )
    revoke = f"{PAGE}?act=revoke-{found.pk}"
    assert client.get(revoke).status_code == 200
    assert "no longer decides" in unescape(
        client.post(revoke, {"reason": "back"}, follow=True).content.decode()
    )
    assert "Nobody decides for you" in html_of(client, PAGE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"last_day": "2020-01-01"}, "in the future"),
        ({"last_day": "9999-12-31"}, "Choose an earlier day."),
        ({"last_day": "tomorrow"}, "Enter a valid date."),
        ({"deputy": "x"}, "not one of the available choices"),
        ({"deputy": 0}, "not one of the available choices"),
        ({"cost_centre": "moon"}, "not one of the available choices"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_a_wrong_form_says_what_is_wrong(office, client, now, changes, words):
    sign_in(client, "olga")
    answer = client.post(f"{PAGE}?act=deputy", form(office, now) | changes)
    assert words in unescape(answer.content.decode())
    assert not Delegation.objects.exists()


def test_a_second_deputy_is_refused_above_the_fields(away, client, now):
    sign_in(client, "olga")
    grace = get_user_model().objects.get(username="grace")
    answer = client.post(f"{PAGE}?act=deputy", form(grace, now))
    assert "olga has a deputy already" in unescape(answer.content.decode())


def test_nobody_revokes_the_deputy_of_another_on_their_own_page(away, client):
    sign_in(client, "bob")
    html = html_of(client, PAGE)
    assert "bob decides for olga" in html
    assert "revoke-" not in html
    client.post(f"{PAGE}?act=revoke-{away.pk}", {"reason": "mine"})
    assert Delegation.objects.get().revoked_at is None


def test_who_manages_people_names_deputies_for_them(office, client, now):
    iris = get_user_model().objects.create_user("iris", is_staff=True)
    names = ("view_user", "manage_people", "add_delegation")
    iris.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(iris)
    ben = get_user_model().objects.create_user("ben", "ben@example.org", is_staff=True)
    page = f"/settings/people/{ben.pk}"
    assert "Nobody decides for this person." in html_of(client, page)
    own = client.post(f"{page}?act=deputy", form(iris, now))
    assert "who is not the deputy" in unescape(own.content.decode())
    client.post(f"{page}?act=deputy", form(office, now))
    found = Delegation.objects.get()
    assert (found.absent, found.deputy, found.named_by) == (ben, office, "iris")
    assert "named by iris" in html_of(client, page)
    superuser = get_user_model().objects.get(username="olga")
    assert client.post(f"/settings/people/{superuser.pk}?act=deputy").status_code == 403
    client.post(f"{page}?act=revoke-{found.pk}", {"reason": "back"})
    assert Delegation.objects.get().revoked_by_name == "iris"


def test_a_deputy_has_an_inbox_that_says_for_whom(away, client, now):
    approval = propose(6_000, actor=GRACE, now=now)
    sign_in(client, "bob")
    assert '<b class="waiting">1<span' in html_of(client, "/")
    html = html_of(client)
    assert '<span class="badge">for olga</span>' in html
    assert "You decide for olga until" in html
    page = f"/approvals/{approval.pk}"
    assert "You decide this for olga" in html_of(client, page)
    client.post(f"{page}?act=approve", {"reason": "fine"})
    assert Approval.objects.get().decided_by == "bob for olga"
    [row] = client.get("/approvals").context["done"].rows
    assert row["decided_by"] == "bob for olga"
    assert "bob for olga" in html_of(client, page)


def test_a_deputy_sees_nothing_that_one_of_the_two_asked_for(away, client, now):
    approval = propose(6_000, actor=OLGA, now=now)
    sign_in(client, "bob")
    assert "Nothing waits for you." in html_of(client)
    page = f"/approvals/{approval.pk}"
    assert client.get(page).status_code == 404
    assert client.post(f"{page}?act=approve", {"reason": "x"}).status_code == 404


def test_after_its_end_a_deputy_has_no_inbox(away, client):
    sign_in(client, "bob")
    assert client.get("/approvals").status_code == 200
    security.revoke_delegation(away.pk, reason="back", actor=OLGA, now=timezone.now())
    assert client.get("/approvals").status_code == 403
    assert 'href="/approvals"' not in html_of(client, "/")


@pytest.fixture
def gate(office):
    """A sub-task of ada's that a person must approve."""
    return submit("Launch", now=timezone.now())


def test_a_deputy_approves_a_gate_and_the_audit_says_for_whom(client, away, gate):
    sign_in(client, "bob")
    page = f"/approvals/gates/{gate.pk}"
    inbox = html_of(client)
    assert page in inbox and "olga" in inbox
    shown = html_of(client, page)
    assert "?act=approve" in shown and "?act=cancel" not in shown
    answer = client.post(f"{page}?act=approve", {"reason": "fine"}, follow=True)
    assert "is approved." in unescape(answer.content.decode())
    gate.refresh_from_db()
    assert (gate.approved_by, gate.delegation) == ("bob for olga", away)
    entry = AuditEntry.objects.get(action="sub_task.approve")
    assert (entry.actor_name, entry.after["decided_for"]) == ("bob", "olga")
    assert f"user:{away.absent_id}" in entry.subjects
    assert "bob for olga" in html_of(client)


def test_nobody_without_a_delegation_in_force_sees_or_approves_a_gate(client, away, gate):
    security.revoke_delegation(away.pk, reason="back", actor=OLGA, now=timezone.now())
    sign_in(client, "bob")
    assert client.get(f"/approvals/gates/{gate.pk}").status_code == 403
    asked = {"task_id": gate.task_id, "key": gate.key, "reason": "x", "now": timezone.now()}
    for actor in (Actor.person("bob"), Actor.agent("ada"), Actor.person("nobody")):
        with pytest.raises(NotADeputy):
            orchestration.approve_as_deputy(**asked, actor=actor)
    gate.refresh_from_db()
    assert gate.approved_at is None


def test_a_deputy_approves_no_more_than_the_absent_person(client, away, gate):
    olga = get_user_model().objects.filter(username="olga")
    olga.update(is_superuser=False)
    sign_in(client, "bob")
    assert client.get(f"/approvals/gates/{gate.pk}").status_code == 404
    asked = {"task_id": gate.task_id, "key": gate.key, "reason": "x", "now": timezone.now()}
    with pytest.raises(NotADeputy):
        orchestration.approve_as_deputy(**asked, actor=Actor.person("bob"))


def test_a_delegation_of_one_cost_centre_is_for_its_gates_only(client, office, gate, now):
    terms = {"starts_at": now, "ends_at": now + timedelta(days=2), "cost_centre": "sales"}
    olga = get_user_model().objects.get(username="olga")
    security.name_deputy(
        olga, office, terms=security.DelegationTerms(**terms), reason="leave", actor=OLGA, now=now
    )
    sign_in(client, "bob")
    assert client.get(f"/approvals/gates/{gate.pk}").status_code == 404
