"""Tokens issued at once."""

import pytest

from keys import services as keys
from keys.models import Agent
from keys.refusals import AlreadyExists, TooManyTokens
from tests.actors import ACTOR
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_who_issue_a_token_get_two(people, at_once):
    ada = Agent.objects.get(pk="ada")
    answers = at_once(lambda _: keys.issue_token(ada, actor=ACTOR, now=NOON), times=20)
    assert refused(answers, TooManyTokens) == 18


def test_twenty_who_make_the_same_agent_make_one(people, at_once):
    answers = at_once(
        lambda _: keys.create_agent("dora", cost_centre="org", actor=ACTOR, now=NOON), times=20
    )
    assert refused(answers, AlreadyExists) == 19
