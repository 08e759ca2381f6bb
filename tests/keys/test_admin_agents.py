"""Agents, their tokens and cost centres in the admin."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from keys.models import Agent, AgentToken, CostCentre, Provider
from security.models import AuditEntry
from tests.keys.admin_forms import CONFIRMED, row
from tests.keys.builders import add_key, allocate

pytestmark = pytest.mark.django_db
TOKEN = re.compile(r"bt_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def page(name, *args):
    """The address of an admin page of the app, or of the audit."""
    if name.startswith("auditentry"):
        return reverse(f"admin:security_{name}", args=args)
    return reverse(f"admin:keys_{name}", args=args)


def no_rows(*prefixes):
    """The counts of formsets without rows."""
    return {f"{prefix}-{which}_FORMS": 0 for prefix in prefixes for which in ("TOTAL", "INITIAL")}


def issue(client, agent="ada", **changes):
    """Ask for a token, as the dialog does."""
    asked = CONFIRMED | {"scopes": ["spend", "read"], "days": "30"} | changes
    return client.post(page("agent_issue_token", agent), asked)


def test_an_agent_is_added_with_a_limit(staff, people, settings):
    wanted = {"slug": "dora", "name": "", "cost_centre": "sales", "reason": "hired"}
    limits = (
        row(0, "usd", "total", "12.5") | no_rows("limits", "tokens") | {"limits-TOTAL_FORMS": 1}
    )
    answer = staff.post(page("agent_add"), wanted | limits, follow=True)
    assert answer.status_code == 200
    dora = Agent.objects.get(pk="dora")
    assert (dora.cost_centre_id, dora.limits.get(unit="usd").amount) == ("sales", 12.5)
    assert dora.limits.get(unit="tokens").amount == settings.NEW_AGENT_TOKENS_PER_DAY
    by_grace = AuditEntry.objects.filter(actor_name="grace", actor_kind="person")
    assert set(by_grace.values_list("action", flat=True)) == {"agent.create", "limit.set"}
    html = staff.get(page("agent_change", "dora")).content.decode()
    assert "$12.50" in html


def test_a_token_is_shown_once(staff, people):
    assert not TOKEN.search(staff.get(page("agent_issue_token", "ada")).content.decode())
    answer = issue(staff)
    token = TOKEN.search(answer.content.decode())[0]
    assert "no-store" in answer.headers["Cache-Control"]
    kept = AgentToken.objects.get()
    assert token.startswith(kept.prefix)
    for name, *args in (
        ("agent_change", "ada"),
        ("agent_changelist",),
        ("agenttoken_changelist",),
        ("agenttoken_change", kept.pk),
        ("auditentry_changelist",),
    ):
        response = staff.get(page(name, *args))
        assert response.status_code == 200
        assert token not in response.content.decode()
    assert kept.prefix in staff.get(page("agent_change", "ada")).content.decode()


def test_a_third_live_token_is_refused_in_words(staff, people):
    issue(staff)
    issue(staff)
    answer = issue(staff).content.decode()
    assert "Revoke one before you create another" in answer
    assert not TOKEN.search(answer)


def test_a_token_is_revoked(staff, people):
    issue(staff)
    token = AgentToken.objects.get()
    staff.post(page("agenttoken_revoke", token.pk), CONFIRMED)
    token.refresh_from_db()
    assert token.revoked_at
    assert "revoked" in staff.get(page("agent_change", "ada")).content.decode()


def test_an_agent_is_switched_off_with_a_reason_and_on(staff, people):
    staff.post(page("agent_disable", "ada"), CONFIRMED | {"reason": "runs wild"})
    assert Agent.objects.get(pk="ada").disabled_at
    assert "runs wild" in staff.get(page("agent_change", "ada")).content.decode()
    staff.post(page("agent_enable", "ada"), CONFIRMED)
    assert Agent.objects.get(pk="ada").disabled_at is None


def test_who_may_only_look_issues_no_token(client, people):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(carol)
    assert client.get(page("agent_change", "ada")).status_code == 200
    assert issue(client).status_code == 403
    assert client.post(page("agent_disable", "ada"), CONFIRMED | {"reason": "x"}).status_code == 403
    assert not AgentToken.objects.exists()


def test_a_cost_centre_is_added_below_another_and_limited(staff, people):
    wanted = {"slug": "lab", "name": "Lab", "parent": "research", "reason": "budget of March"}
    limits = row(0, "tokens", "month", "900") | no_rows("limits") | {"limits-TOTAL_FORMS": 1}
    staff.post(page("costcentre_add"), wanted | limits)
    lab = CostCentre.objects.get(pk="lab")
    assert (lab.path, lab.limits.get().amount) == (["org", "research", "lab"], 900)
    html = staff.get(page("costcentre_change", "lab")).content.decode()
    assert "org / research / lab" in html
    assert "budget of March" in html


def test_lists_of_people_cost_as_many_queries_as_one(staff, people, django_assert_max_num_queries):
    for name in ("agent_changelist", "costcentre_changelist", "agenttoken_changelist"):
        with django_assert_max_num_queries(9):
            assert staff.get(page(name)).status_code == 200


def test_a_provider_is_added_and_keeps_its_slug(staff):
    staff.post(page("provider_add"), {"slug": "groq", "name": "Groq", "base_url": ""})
    changed = {"slug": "other", "name": "Groq Inc.", "base_url": "https://api.groq.example/v1"}
    staff.post(page("provider_change", "groq"), changed)
    assert Provider.objects.get().name == "Groq", "without a reason nothing changes"
    staff.post(page("provider_change", "groq"), changed | {"reason": "they were renamed"})
    assert Provider.objects.values_list("slug", "name").get() == ("groq", "Groq Inc.")
    assert staff.post(page("provider_delete", "groq"), {"post": "yes"}).status_code == 403


def test_agents_and_cost_centres_are_moved_renamed_and_closed_in_dialogs(staff, people):
    asked = CONFIRMED | {"reason": "new team"}
    staff.post(page("agent_move", "ada"), asked | {"cost_centre": "sales"})
    staff.post(page("agent_rename", "ada"), asked | {"name": "Ada L"})
    ada = Agent.objects.get(pk="ada")
    assert (ada.cost_centre_id, ada.name) == ("sales", "Ada L")
    staff.post(page("costcentre_move", "sales"), asked | {"parent": "research"})
    assert CostCentre.objects.get(pk="sales").path == ["org", "research", "sales"]
    staff.post(page("costcentre_close", "sales"), asked | {"agents_to": "research"})
    ada.refresh_from_db()
    assert ada.cost_centre_id == "research"
    answer = staff.get(page("agent_move", "ada")).content.decode()
    assert 'value="research"' in answer and 'value="sales"' not in answer
    staff.post(page("costcentre_reopen", "sales"), asked)
    assert CostCentre.objects.get(pk="sales").closed_at is None


def test_open_work_stands_in_the_way_of_a_dialog(staff, people):
    add_key("key-1")
    lent = allocate("ada", now=timezone.now())
    asked = CONFIRMED | {"reason": "new team", "cost_centre": "sales"}
    answer = staff.post(page("agent_move", "ada"), asked, follow=True).content.decode()
    assert "It has 1 open session" in answer
    staff.post(page("agent_move", "ada"), asked | {"end_open_work": "on"})
    lent.refresh_from_db()
    assert lent.status == "failed"
    assert Agent.objects.get(pk="ada").cost_centre_id == "sales"
