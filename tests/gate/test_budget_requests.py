"""Agents ask for more budget; a grant raises a limit while it runs, and ends by itself."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, ProgrammingError, transaction
from django.urls import reverse
from django.utils import timezone

from gate import services as gate
from gate.models import CentreBinding
from gate.refusals import TooManyBudgetRequests
from keys import refusals as keys_refusals
from keys import services as keys
from keys.limits.queries.spendable import spendable
from keys.models import Agent, ApiKey, Grant, Window
from keys.refusals import LimitNotFound, LimitReached, WrongValue
from security import audit
from security import services as security
from security.actor import Actor
from security.models import Approval, AuditEntry
from security.refusals import ApprovalNotFound, ApprovalOutdated, SecondPersonNeeded
from tests.actors import ACTOR, GRACE, OLGA
from tests.api.caller import Caller, assert_problem, token_of
from tests.books import assert_books_balance
from tests.gate.approvals import in_force, person
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import PAID, add_key, allocate, limit, report, rotate
from tests.moments import NOON

pytestmark = pytest.mark.django_db
END = NOON + timedelta(hours=3)
ADA = Actor.agent("ada")
AN_INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(people):
    """ada may use 1,000 tokens a day; grace may decide budget requests."""
    add_key("nvidia-1")
    person("grace")
    ada = Agent.objects.get(pk="ada")
    limit(ada, 1_000)
    return ada


def ask(amount=500, *, scope="agent:ada", until=END, now=NOON, key=None, **changes):
    """ada asks for more."""
    values = {"unit": "tokens", "period": "day", "reason": "more work"} | changes
    request = gate.BudgetRequest(scope=scope, amount=Decimal(amount), until=until, **values)
    return gate.request_budget("ada", request, idempotency_key=key, actor=ADA, now=now)[0]


def granted(amount=500, *, now=NOON, **changes):
    """ada asks, and grace approves."""
    approval = ask(amount, now=now, **changes)
    return security.approve(approval.pk, actor=GRACE, now=now).grant


def refused(tokens, *, now):
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=tokens, now=now)
    return refusal.value


def test_a_grant_counts_from_its_start_to_exactly_its_end(ada):
    allocate(tokens=1_000)
    refusal = refused(1, now=NOON)
    assert refusal.budget_requests.endswith("/api/v1/budget-requests")
    link = "/budget-requests/new?scope=agent%3Aada&unit=tokens&period=day&needed=1"
    assert refusal.ask_page.endswith(link)
    assert link in refusal.detail
    grant = granted(500)
    assert (grant.starts_at, grant.ends_at) == (NOON, END)
    refused(1, now=NOON - AN_INSTANT)
    assert refused(501, now=NOON).windows[0].amount == 1_500
    allocate(tokens=200, now=NOON)
    allocate(tokens=200, now=END - AN_INSTANT)
    refused(1, now=END)
    assert_books_balance()


def test_what_was_lent_under_a_grant_stays_lent_after_its_end(ada):
    granted(500)
    allocation = allocate(tokens=1_500)
    report(allocation, 1_400, now=END)
    refused(1, now=END)
    assert_books_balance()


def test_a_grant_counts_in_each_period_that_it_touches(ada):
    granted(500, until=NOON + timedelta(days=2))
    allocate(tokens=1_500)
    tomorrow = NOON + timedelta(days=1, hours=1)
    keys.expire_allocations(now=tomorrow)
    allocate(tokens=1_500, now=tomorrow)
    refused(1, now=tomorrow)
    assert_books_balance()


def test_grants_add_up_and_belong_to_their_limit(ada):
    limit(ada, 900_000, period="month")
    granted(500)
    granted(300, until=END - timedelta(hours=1))
    granted(7, period="month")
    free = spendable(agent="ada", cost_centre="research", now=NOON)
    assert free.tokens == 1_800
    allocate(tokens=1_800)
    refused(1, now=NOON)


def test_a_grant_in_usd_lets_a_session_rotate_to_a_dearer_key(ada):
    limit(ada, "0.001", unit="usd", period="month")
    allocation = allocate(tokens=1_000)
    add_key("openai-1", rates=PAID)
    with pytest.raises(keys_refusals.RotationRefused):
        rotate(allocation, "openai-1")
    granted(1, unit="usd", period="month")
    rotate(allocation, "openai-1")
    assert_books_balance()


def test_a_grant_can_be_ended_early_and_never_prolonged(ada):
    grant = granted(500)
    for _ in range(2):
        keys.end_grant(grant, reason="no longer", actor=OLGA, now=NOON + timedelta(hours=1))
    refused(1_001, now=NOON + timedelta(hours=1))
    with pytest.raises(ProgrammingError), transaction.atomic():
        Grant.objects.update(ends_at=END)


def test_the_database_refuses_what_no_grant_allows(ada):
    granted(500)
    Window.objects.filter(scope="agent:ada").update(committed=1_500)
    with pytest.raises(Exception, match="window_commit_fits"), transaction.atomic():
        Window.objects.filter(scope="agent:ada").update(committed=1_501)


@pytest.mark.parametrize(
    ("refusal", "changes"),
    [
        (LimitNotFound, {"scope": "agent:bob"}),
        (LimitNotFound, {"scope": "centre:sales"}),
        (LimitNotFound, {"scope": "key:nvidia-1"}),
        (LimitNotFound, {"scope": "nothing"}),
        (LimitNotFound, {"period": "month"}),
        (WrongValue, {"amount": 0}),
        (WrongValue, {"amount": "1.5"}),
        (WrongValue, {"until": NOON}),
        (WrongValue, {"until": NOON + timedelta(days=32)}),
    ],
)
def test_what_cannot_be_granted_is_refused(ada, refusal, changes):
    with pytest.raises(refusal):
        ask(**changes)


def test_the_same_request_is_asked_once(ada):
    assert ask(key="one").pk == ask(key="one", now=NOON + timedelta(days=1)).pk


def test_an_agent_has_five_requests_open_at_most(ada):
    for _ in range(gate.OPEN_MAX):
        ask()
    with pytest.raises(TooManyBudgetRequests):
        ask()


def test_a_request_whose_limit_or_time_is_gone_grants_nothing(ada):
    approval = ask()
    keys.remove_limit(ada.limits.get(), reason="x", actor=ACTOR, now=NOON)
    with pytest.raises(ApprovalOutdated):
        security.approve(approval.pk, actor=GRACE, now=NOON)
    assert approval.expires_at == END
    assert not Grant.objects.exists()


def test_who_holds_a_token_of_the_agent_is_no_second_person(ada):
    """With the policy in force; a single administrator may, as for limits."""
    keys.issue_token(ada, actor=GRACE, now=NOON)
    security.approve(ask().pk, actor=GRACE, now=NOON)
    person("olga")
    in_force("budget_request")
    approval = ask()
    with pytest.raises(SecondPersonNeeded):
        security.approve(approval.pk, actor=GRACE, now=NOON)
    security.approve(approval.pk, actor=OLGA, now=NOON)


def test_an_agent_asks_by_the_api_and_sees_what_was_decided(ada):
    caller, other = Caller(token_of("ada")), Caller(token_of("bob"))
    lacking = assert_problem(caller.post("/allocations", tokens=2_000), 402, "limit_reached")
    window = lacking["windows"][0]
    wanted = {name: window[name] for name in ("scope", "unit", "period")}
    wanted |= {"amount": "1000", "reason": "more work"}
    wanted["until"] = (timezone.now() + timedelta(hours=1)).isoformat()
    asked = caller.post("/budget-requests", idempotency_key="one", **wanted)
    assert asked.status_code == 201
    again = caller.post("/budget-requests", idempotency_key="one", **wanted)
    assert (again.status_code, again.json()) == (200, asked.json())
    differs = caller.post("/budget-requests", idempotency_key="one", **wanted | {"amount": "9"})
    assert_problem(differs, 409, "request_mismatch")
    path = f"/budget-requests/{asked.json()['id']}"
    assert_problem(other.get(path), 404, "approval_not_found")
    assert (asked.json()["status"], asked.json()["grant"]) == ("asked", None)
    security.approve(asked.json()["id"], reason="fine", actor=GRACE, now=timezone.now())
    said = caller.get(path).json()
    assert (said["status"], said["decided_reason"]) == ("approved", "fine")
    assert said["grant"]["ends_at"]
    assert caller.get("/approvals", status="approved").json()["results"] == [said]
    assert caller.get("/budget-requests").json()["results"] == [said]
    assert caller.get("/budget-requests", status="asked").json()["results"] == []
    assert other.get("/approvals").json()["results"] == []
    assert other.get("/budget-requests").json()["results"] == []
    assert caller.get("/me").json()["limits"][0]["granted"] == "1000"
    assert caller.post("/allocations", tokens=2_000).status_code == 201
    assert_problem(caller.post(f"{path}/withdrawal"), 409, "approval_decided")


def test_an_agent_withdraws_its_request(ada):
    approval = ask(now=timezone.now(), until=timezone.now() + timedelta(hours=1))
    caller = Caller(token_of("ada"))
    assert caller.post(f"/budget-requests/{approval.pk}/withdrawal").json()["status"] == "withdrawn"


def test_a_person_asks_and_only_another_person_decides(ada):
    person("olga")
    request = gate.BudgetRequest(
        scope="agent:ada", unit="tokens", period="day", amount=500, until=END, reason="x"
    )
    asked, created = gate.ask_for_budget(request, idempotency_key="one", actor=OLGA, now=NOON)
    again = gate.ask_for_budget(request, idempotency_key="one", actor=OLGA, now=NOON)
    assert (created, again) == (True, (asked, False))
    assert "1,500 tokens would be free now" in asked.effect
    with pytest.raises(SecondPersonNeeded):
        security.approve(asked.pk, actor=OLGA, now=NOON)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        Approval.objects.filter(pk=asked.pk).update(
            status="approved",
            decided_by_name="olga",
            decided_by_kind="person",
            decided_at=NOON,
            decided_persons=asked.asked_persons,
        )
    assert security.approve(asked.pk, actor=GRACE, now=NOON).grant.amount == 500


def test_a_person_has_five_requests_open_at_most_and_asks_for_no_api_key(ada):
    request = gate.BudgetRequest(
        scope="agent:ada", unit="tokens", period="day", amount=500, until=END, reason="x"
    )
    for _ in range(gate.OPEN_MAX):
        gate.ask_for_budget(request, idempotency_key=None, actor=GRACE, now=NOON)
    with pytest.raises(TooManyBudgetRequests, match="5 budget requests of grace"):
        gate.ask_for_budget(request, idempotency_key=None, actor=GRACE, now=NOON)
    limit(ApiKey.objects.get(), 5)
    with pytest.raises(LimitNotFound):
        gate.budget_effect(replace(request, scope="key:nvidia-1"), now=NOON)


def test_who_is_bound_to_another_cost_centre_does_not_decide(ada):
    CentreBinding.objects.create(person=person("olga"), cost_centre_id="sales")
    approval = ask()
    for decide in (security.approve, security.reject):
        with pytest.raises(ApprovalNotFound):
            decide(approval.pk, reason="x", actor=OLGA, now=NOON)
    CentreBinding.objects.update(cost_centre="research")
    assert security.approve(approval.pk, actor=OLGA, now=NOON).grant


def test_the_audit_has_the_end_of_a_grant_once(ada):
    grant, early = granted(500), granted(300)
    keys.end_grant(early, reason="no longer", actor=OLGA, now=NOON + timedelta(hours=1))
    assert keys.record_ended_grants(now=END - AN_INSTANT) == 0
    assert keys.record_ended_grants(now=END) == 1
    assert keys.record_ended_grants(now=END + timedelta(hours=1)) == 0
    ends = AuditEntry.objects.about("agent:ada").filter(action="grant.end").order_by("pk")
    assert [(entry.actor_name, entry.reason) for entry in ends] == [
        ("olga", "no longer"),
        ("grants", "its time is over"),
    ]
    assert ends[1].after == {"granted": "0", "ended_at": END.isoformat().replace("+00:00", "Z")}
    assert f"approval:{grant.approval_id}" in ends[1].subjects


def test_a_recorder_that_dies_records_the_end_later(ada, monkeypatch):
    granted(500)
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr(audit, "record", lambda **_: 1 / 0)
        keys.record_ended_grants(now=END)
    assert keys.record_ended_grants(now=END) == 1
    assert AuditEntry.objects.filter(action="grant.end").count() == 1


def test_a_grant_is_ended_in_the_admin(client, ada):
    now = timezone.now()
    grant = granted(500, now=now, until=now + timedelta(hours=1))
    client.force_login(get_user_model().objects.create_superuser("root"))
    client.post(reverse("admin:keys_grant_end_now", args=[grant.pk]), CONFIRMED | {"reason": "x"})
    grant.refresh_from_db()
    assert grant.ends_at < now + timedelta(hours=1)
