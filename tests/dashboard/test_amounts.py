"""The rule of budget requests on pages: set, seen before asking, and followed by two persons."""

from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from gate import services as gate
from keys.models import Agent, Grant
from security.actor import Actor
from security.models import Approval, ApprovalPolicy
from tests.api.caller import Caller, token_of
from tests.gate.approvals import in_force
from tests.keys.builders import limit

pytestmark = pytest.mark.django_db
RULE = {"in_force": "on", "usd_above": "5000", "above_needs": "two", "reason": "four eyes"}


@pytest.fixture
def office(staff, people, now):
    """Grace is signed in; she and olga and henry may do everything."""
    for name in ("olga", "henry"):
        get_user_model().objects.create_superuser(name, f"{name}@example.org")
    limit(Agent.objects.get(pk="ada"), 10_000, unit="usd", now=now)
    return staff


def ask(amount, now):
    request = gate.BudgetRequest(
        scope="agent:ada",
        unit="usd",
        period="day",
        amount=Decimal(amount),
        until=now + timedelta(hours=2),
        reason="more work",
    )
    actor = Actor.agent("ada")
    return gate.request_budget("ada", request, idempotency_key=None, actor=actor, now=now)[0]


def html_of(client, path="/approvals"):
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def sign_in(client, name):
    client.force_login(get_user_model().objects.get(username=name))


def test_the_rule_is_set_on_the_page_of_approvals(office):
    assert 'name="usd_above"' in html_of(office, "/approvals?act=rule")
    answer = office.post("/approvals?act=rule", RULE, follow=True)
    assert "Above 5,000 USD two persons approve, and one person below." in unescape(
        answer.content.decode()
    )
    assert 'value="5000"' in html_of(office, "/approvals?act=rule")
    own = RULE | {"cost_centre": "research", "usd_above": "50"}
    office.post("/approvals?act=rule", own)
    assert ApprovalPolicy.objects.get(cost_centre="research").usd_above == 50
    assert "<dt>research</dt>" in html_of(office)
    office.post("/approvals?act=rule", RULE | {"usd_above": "9000"})
    assert Approval.objects.get().subject == "approval_policy:budget_request"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"above_needs": "role"}, "Choose the group whose members approve."),
        ({"usd_above": "-1"}, "greater than or equal to 0"),
        ({"cost_centre": "moon"}, "not one of the available choices"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(office, changes, words):
    answer = office.post("/approvals?act=rule", RULE | changes)
    assert words in unescape(answer.content.decode())
    assert not ApprovalPolicy.objects.exclude(in_force_since=None).exists()


def test_only_who_sets_policies_sets_the_rule(office, client):
    dora = get_user_model().objects.create_user("dora", "dora@example.org", is_staff=True)
    dora.user_permissions.set(Permission.objects.filter(codename="view_approval"))
    client.force_login(dora)
    assert "act=rule" not in html_of(client)
    assert client.post("/approvals?act=rule", RULE).status_code == 403
    assert client.post("/approvals").status_code == 403


def test_who_asks_sees_the_rule_before_asking(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    page = "/budget-requests/new?scope=agent:ada&unit=usd&period=day&needed=6000"
    assert "Above 5,000 USD two persons approve." in html_of(office, page)


def test_two_persons_approve_on_the_page_and_the_agent_sees_how_far_it_is(office, client, now):
    in_force("budget_request", usd_above=Decimal(5_000))
    asked = ask(6_000, now)
    page = f"/approvals/{asked.pk}"
    assert "Two persons approve it; 0 of 2 so far." in html_of(client, page)
    answer = client.post(f"{page}?act=approve", {"reason": "fine"}, follow=True)
    assert "Another person has to approve it, too" in unescape(answer.content.decode())
    html = html_of(client, page)
    assert "1 of 2 so far" in html
    assert "First approved by" in html
    assert "?act=approve" not in html
    assert client.post(f"{page}?act=approve", {"reason": "again"}).status_code == 403
    budget = Caller(token_of("ada", "spend")).get(f"/budget-requests/{asked.pk}").json()
    assert (budget["status"], budget["yes_needed"], budget["yes_given"], budget["rule"]) == (
        "asked",
        2,
        1,
        "Above 5,000 USD two persons approve.",
    )
    sign_in(client, "olga")
    assert "by grace." in html_of(client)
    answer = client.post(f"{page}?act=approve", {"reason": "fine"}, follow=True)
    assert "It is approved." in unescape(answer.content.decode())
    assert Grant.objects.count() == 1
