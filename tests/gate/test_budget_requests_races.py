"""Grants that start and end while agents allocate."""

from datetime import timedelta

import pytest

from gate.refusals import TooManyBudgetRequests
from keys import services as keys
from keys.models import Agent, Grant, Window
from keys.refusals import LimitReached
from security import services as security
from security.actor import Actor
from security.models import Approval
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gate.approvals import person
from tests.gate.test_budget_requests import END, ask, granted
from tests.keys.builders import add_key, allocate, limit
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(people):
    add_key("nvidia-1")
    person("grace")
    limit(Agent.objects.get(pk="ada"), 1_000)


def lent():
    return Window.objects.get(scope="agent:ada", closed_at=None).committed


def test_of_many_allocations_under_a_grant_exactly_those_fit_that_it_allows(ada, at_once):
    granted(500)
    answers = at_once(lambda n: allocate(tokens=100, now=NOON), times=30)
    assert refused(answers, LimitReached) == 15
    assert lent() == 1_500
    assert_books_balance()


def test_at_its_end_a_grant_lets_nothing_more_through(ada, at_once):
    granted(500)
    moments = (END - timedelta(microseconds=1), END)
    at_once(lambda n: allocate(tokens=100, now=moments[n % 2]), times=30)
    assert 1_000 <= lent() <= 1_500
    more = at_once(lambda n: allocate(tokens=100, now=END), times=5)
    assert refused(more, LimitReached) == 5
    assert_books_balance()


def test_after_the_early_end_of_a_grant_nothing_more_is_committed(ada, at_once):
    grant = granted(500)

    def anything(n):
        if n == 5:
            keys.end_grant(grant, reason="x", actor=ACTOR, now=NOON)
            return lent()
        return allocate(tokens=100)

    at_end = at_once(anything, times=20)[5]
    assert lent() == max(at_end, 1_000)
    assert_books_balance()


def test_a_request_approved_by_many_at_once_is_granted_once(ada, at_once):
    names = [f"person-{n}" for n in range(8)]
    for name in names:
        person(name)
    approval = ask()
    at_once(
        lambda n: security.approve(approval.pk, actor=Actor.person(names[n]), now=NOON), times=8
    )
    assert Grant.objects.count() == 1


def test_of_many_requests_at_once_five_wait(ada, at_once):
    answers = at_once(lambda n: ask(key=f"key-{n % 8}"), times=16)
    assert Approval.objects.count() == 5
    assert any(isinstance(answer, TooManyBudgetRequests) for answer in answers)
