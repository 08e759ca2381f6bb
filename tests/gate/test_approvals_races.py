"""Approvals that several persons decide at once."""

import pytest

from keys.models import Agent
from security import services as security
from security.actor import Actor
from security.models import Approval
from security.refusals import ApprovalDecided
from tests.books import assert_books_balance
from tests.gate.approvals import in_force, person
from tests.gate.test_approvals import LATER, amount, propose
from tests.keys.builders import limit

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_ten_who_decide_at_once_one_wins(people, at_once):
    names = [f"person-{n}" for n in range(10)]
    for name in ("grace", *names):
        person(name)
    limit(Agent.objects.get(pk="ada"), 1_000)
    in_force("limit")
    approval = propose(6_000)

    def decide(n):
        verb = security.approve if n % 2 else security.reject
        return verb(approval.pk, reason="x", actor=Actor.person(names[n]), now=LATER)

    answers = at_once(decide, times=10)
    assert sum(isinstance(answer, ApprovalDecided) for answer in answers) == 9
    decided = Approval.objects.get()
    assert amount() == (6_000 if decided.status == "approved" else 1_000)
    assert_books_balance()
