"""Budget requests by amount: two persons, or a group, above a threshold; also of a cost centre."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, ProgrammingError, transaction

from gate import services as gate
from keys.models import Agent, Grant
from security import approvals
from security import services as security
from security.actor import Actor
from security.audit_chain.seal import seal_rows
from security.audit_chain.verify import verify
from security.deciders import approvals_to_decide, is_decider
from security.models import Approval, AuditEntry
from security.refusals import (
    AnotherPersonNeeded,
    ApprovalDecided,
    NotADecider,
    SecondPersonNeeded,
    TooFewDeciders,
)
from tests.actors import ACTOR
from tests.gate.approvals import in_force, person
from tests.gate.test_delegations import away, user
from tests.keys.builders import limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)
NAMES = ("grace", "olga", "henry")


@pytest.fixture
def office(people):
    """Ada may use 1,000 tokens and 10,000 dollars a day; three may decide, bob may not."""
    ada = Agent.objects.get(pk="ada")
    limit(ada, 1_000)
    limit(ada, 10_000, unit="usd")
    found = {name: person(name) for name in NAMES}
    found["bob"] = person("bob", may_decide=False)
    return found


def ask(amount, *, unit="usd", agent="ada", actor=None, scope=None):
    request = gate.BudgetRequest(
        scope=scope or f"agent:{agent}",
        unit=unit,
        period="day",
        amount=Decimal(amount),
        until=NOON + timedelta(days=1),
        reason="more work",
    )
    actor = actor or Actor.agent(agent)
    if actor.kind == "agent":
        return gate.request_budget(agent, request, idempotency_key=None, actor=actor, now=NOON)[0]
    return gate.ask_for_budget(request, idempotency_key=None, actor=actor, now=NOON)[0]


def approve(approval, name):
    actor = Actor.person(name)
    return security.approve(approval.pk, reason=f"{name} says so", actor=actor, now=LATER)


def rule_of(centre, **terms):
    return security.propose_policy(
        approvals.kind_of("budget_request"),
        terms=security.PolicyTerms(**terms),
        cost_centre=centre,
        reason="test",
        actor=ACTOR,
        now=NOON,
    )


def test_above_the_threshold_two_persons_approve(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    small, large = ask(5_000), ask("5000.000000001")
    assert [each.rule for each in (small, large)] == ["Above 5,000 USD two persons approve."] * 2
    approve(small, "grace")
    assert Grant.objects.count() == 1
    approve(large, "grace")
    large.refresh_from_db()
    assert (large.status, large.yes_given, large.first_yes_by) == ("asked", 1, "grace")
    assert Grant.objects.count() == 1
    with pytest.raises(AnotherPersonNeeded):
        approve(large, "grace")
    assert not is_decider(user("grace"), large, now=LATER)
    assert list(approvals_to_decide(user("olga"), now=LATER)) == [large]
    approve(large, "olga")
    large.refresh_from_db()
    assert (large.status, large.yes_given, large.decided_by) == ("approved", 2, "olga")
    assert Grant.objects.count() == 2
    entry = AuditEntry.objects.get(action="approval.first_yes")
    assert (entry.actor_name, entry.reason) == ("grace", "grace says so")


@pytest.mark.parametrize(
    ("terms", "amount", "unit", "needed"),
    [
        ({"tokens_above": Decimal(500)}, 501, "tokens", 2),
        ({"tokens_above": Decimal(500)}, 500, "tokens", 1),
        # The other unit has no threshold.
        ({"tokens_above": Decimal(500)}, 9_000, "usd", 1),
        ({"usd_above": Decimal(0)}, "0.01", "usd", 2),
        ({"rise_percent_above": 50}, 500, "tokens", 1),
        ({"rise_percent_above": 50}, 501, "tokens", 2),
        ({}, 1_000_000, "tokens", 1),
    ],
)
def test_what_needs_two(office, terms, amount, unit, needed):
    in_force("budget_request", **terms)
    assert ask(amount, unit=unit).yes_needed == needed


def test_the_audit_chain_holds_before_between_and_after_the_two(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    large = ask(6_000)
    for name in ("grace", "olga"):
        seal_rows(now=LATER)
        assert verify(now=LATER).findings == []
        approve(large, name)
    seal_rows(now=LATER)
    assert verify(now=LATER).findings == []
    assert Approval.objects.get(pk=large.pk).status == "approved"


def test_a_group_alone_approves_above_the_threshold(office):
    board = Group.objects.create(name="board")
    for name in ("grace", "olga"):
        office[name].groups.add(board)
    in_force("budget_request", usd_above=Decimal(5_000), role="board", above_needs="role")
    small, large = ask(100), ask(6_000)
    assert (large.rule, large.yes_needed) == (
        "Above 5,000 USD a person of the group board approves.",
        1,
    )
    assert list(approvals_to_decide(user("henry"), now=LATER)) == [small]
    with pytest.raises(NotADecider):
        approve(large, "henry")
    approve(small, "henry")
    approve(large, "grace")
    assert Grant.objects.count() == 2


def test_for_two_persons_the_group_approves_smaller_amounts_too(office):
    board = Group.objects.create(name="board")
    for name in ("grace", "olga"):
        office[name].groups.add(board)
    in_force("budget_request", usd_above=Decimal(5_000), role="board")
    small, large = ask(100), ask(6_000)
    for each in (small, large):
        with pytest.raises(NotADecider):
            approve(each, "henry")
    for name in ("grace", "olga"):
        approve(large, name)
    assert Grant.objects.count() == 1


def test_a_group_of_one_person_is_refused(office):
    office["grace"].groups.add(Group.objects.create(name="board"))
    with pytest.raises(TooFewDeciders):
        in_force("budget_request", usd_above=Decimal(5_000), role="board", above_needs="role")


def test_a_cost_centre_has_a_rule_of_its_own_for_all_below_it(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    assert rule_of("research", usd_above=Decimal(50)) is None
    limit(Agent.objects.get(pk="carol"), 10_000, unit="usd")
    own, other = ask(60), ask(60, agent="carol")
    assert (own.yes_needed, own.rule) == (2, "Above 50 USD two persons approve.")
    assert (other.yes_needed, other.rule) == (1, "Above 5,000 USD two persons approve.")
    asked = rule_of("research", in_force=False)
    assert asked.subject == "approval_policy:budget_request@research"
    approve(asked, "henry")
    assert ask(61).yes_needed == 1
    assert own.yes_needed == 2
    approve(own, "grace")
    approve(own, "olga")


def test_who_asked_is_neither_the_first_nor_the_second(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    large = ask(6_000, actor=Actor.person("grace"))
    with pytest.raises(SecondPersonNeeded):
        approve(large, "grace")
    approve(large, "olga")
    with pytest.raises(SecondPersonNeeded):
        approve(large, "grace")
    approve(large, "henry")


def test_a_person_and_their_deputy_are_one_of_two(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    away()
    for first, second in (("olga", "bob"), ("bob", "olga"), ("bob", "bob")):
        large = ask(6_000)
        approve(large, first)
        with pytest.raises(AnotherPersonNeeded):
            approve(large, second)
        assert large.pk not in [each.pk for each in approvals_to_decide(user("bob"), now=LATER)]
        approve(large, "henry")
    first = Approval.objects.filter(first_yes_for_name="olga").first()
    assert first.first_yes_by == "bob for olga"
    assert len(first.first_yes_persons) == 4


def test_a_first_yes_of_a_deputy_stays_after_the_delegation_was_revoked(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    delegation = away()
    large = ask(6_000)
    approve(large, "bob")
    security.revoke_delegation(delegation.pk, reason="back", actor=Actor.person("olga"), now=LATER)
    with pytest.raises(AnotherPersonNeeded):
        approve(large, "olga")
    approve(large, "henry")


def test_one_of_two_is_enough_to_reject(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    large = ask(6_000)
    approve(large, "grace")
    with pytest.raises(AnotherPersonNeeded):
        security.reject(large.pk, reason="no", actor=Actor.person("grace"), now=LATER)
    security.reject(large.pk, reason="no", actor=Actor.person("olga"), now=LATER)
    with pytest.raises(ApprovalDecided):
        approve(large, "henry")
    assert not Grant.objects.exists()


def test_the_database_refuses_one_person_twice(office):
    in_force("budget_request", usd_above=Decimal(5_000))
    large = ask(6_000)
    grace, olga = (f"user:{office[name].pk}" for name in ("grace", "olga"))
    row = Approval.objects.filter(pk=large.pk)
    decision = {
        "status": "approved",
        "decided_by_name": "grace",
        "decided_by_kind": "person",
        "decided_at": LATER,
    }
    with pytest.raises(IntegrityError, match="two_persons"), transaction.atomic():
        row.update(**decision, decided_persons=[grace])
    first = {"first_yes_by_name": "grace", "first_yes_at": LATER}
    for persons in ([], large.asked_persons):
        with pytest.raises(IntegrityError, match="first_yes"), transaction.atomic():
            row.update(**first, first_yes_persons=persons)
    for change in ({"second_yes": False}, {"role": "x"}, {"rule": "x"}):
        with pytest.raises(ProgrammingError), transaction.atomic():
            row.update(**change)
    row.update(**first, first_yes_persons=[grace])
    with pytest.raises(IntegrityError, match="two_persons"), transaction.atomic():
        row.update(**decision, decided_persons=[grace, olga])
    with pytest.raises(ProgrammingError), transaction.atomic():
        row.update(first_yes_persons=[olga])
    row.update(**decision, decided_persons=[olga])
