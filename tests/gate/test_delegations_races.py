"""Deputies who decide at once, who are named at once, and who are revoked while they decide."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

from keys.models import Agent, Grant
from security import services as security
from security.actor import Actor
from security.models import Approval, Delegation
from security.refusals import (
    ApprovalDecided,
    DelegationChain,
    DelegationOverlaps,
    NotADecider,
)
from tests.actors import OLGA
from tests.gate import test_amounts as amounts
from tests.gate.approvals import in_force, person
from tests.gate.test_approvals import LATER, amount, propose
from tests.gate.test_delegations import BOB, WEEK, away
from tests.keys.builders import limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(people):
    limit(Agent.objects.get(pk="ada"), 1_000)
    for name in ("grace", "olga", "henry"):
        person(name)
    person("bob", may_decide=False)
    in_force("limit")


def test_one_of_a_deputy_and_two_others_who_decide_at_once_wins(office, at_once):
    away()
    approval = propose(6_000)
    who = [BOB, OLGA, Actor.person("henry")]

    def decide(n):
        return security.approve(approval.pk, reason="x", actor=who[n], now=LATER)

    answers = at_once(decide, times=3)
    assert sum(isinstance(each, ApprovalDecided) for each in answers) == 2
    assert amount() == 6_000


def test_a_deputy_who_is_revoked_while_deciding_decides_before_it_or_not_at_all(office, at_once):
    for number in range(5):
        delegation = away()
        approval = propose(2_000 + number)

        def act(n, approval=approval, delegation=delegation):
            if n:
                return security.revoke_delegation(
                    delegation.pk, reason="back", actor=OLGA, now=LATER
                )
            return security.approve(approval.pk, reason="x", actor=BOB, now=LATER)

        decided, revoked = at_once(act, times=2)
        assert isinstance(revoked, Delegation)
        found = Approval.objects.get(pk=approval.pk)
        assert isinstance(decided, NotADecider) == (found.status == "asked")
        if found.status == "asked":
            security.withdraw(found.pk, actor=Actor.person("grace"), now=LATER)


def test_of_deputies_named_at_once_one_is(office, at_once):
    def name(n):
        return away(deputy=("bob", "henry")[n % 2])

    answers = at_once(name, times=6)
    assert sum(isinstance(each, DelegationOverlaps) for each in answers) == 5
    assert Delegation.objects.count() == 1


def test_a_chain_named_at_once_is_refused(office, at_once):
    def name(n):
        one, other = (("olga", "henry"), ("henry", "bob"))[n]
        return away(one, other, starts_at=NOON, ends_at=NOON + WEEK + timedelta(hours=n))

    answers = at_once(name, times=2)
    assert sum(isinstance(each, DelegationChain) for each in answers) == 1
    assert get_user_model().objects.count() >= 4
    assert Delegation.objects.count() == 1


def test_of_many_who_approve_at_once_two_persons_do(office, at_once):
    """A person and their deputy are one of the two, also at once."""
    in_force("budget_request", tokens_above=Decimal(10))
    away()
    for number in range(4):
        approval = amounts.ask(500 + number, unit="tokens")
        who = [BOB, OLGA, BOB, OLGA] if number % 2 else [BOB, OLGA, Actor.person("henry")]

        def approve(n, approval=approval, who=who):
            return security.approve(approval.pk, reason="x", actor=who[n], now=LATER)

        at_once(approve, times=len(who))
        found = Approval.objects.get(pk=approval.pk)
        assert found.status == ("asked" if number % 2 else "approved")
        assert not {*found.first_yes_persons} & {*found.decided_persons}
        if number % 2:
            security.approve(approval.pk, reason="x", actor=Actor.person("henry"), now=LATER)
    assert Grant.objects.count() == 4
