"""Cost centres, agents and their tokens."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from keys import services as keys
from keys.models import Agent, AgentToken, CostCentre
from keys.refusals import (
    AgentDisabled,
    AgentNotFound,
    AlreadyExists,
    CostCentreNotFound,
    LimitReached,
    TooManyTokens,
    WrongValue,
)
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, limit, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def ada():
    """The agent."""
    return Agent.objects.get(pk="ada")


def issue(*, now=NOON, **terms):
    """A token for ada."""
    return keys.issue_token(ada(), actor=ACTOR, now=now, **terms)


def test_a_cost_centre_knows_its_ancestors(people):
    assert CostCentre.objects.get(pk="research").path == ["org", "research"]
    deep = keys.create_cost_centre(
        "vision", parent="research", name="Computer vision", actor=ACTOR, now=NOON
    )
    assert (deep.path, str(deep)) == (["org", "research", "vision"], "org / research / vision")


def test_a_cost_centre_keeps_its_parent(people):
    with pytest.raises(DatabaseError), transaction.atomic():
        CostCentre.objects.filter(pk="research").update(parent="sales")


@pytest.mark.parametrize("slug", ["", "Org", "a b", "-a", "a" * 65, "a\n", "ä", "a/b"])
def test_names_that_cannot_be_are_refused(people, slug):
    with pytest.raises(WrongValue):
        keys.create_cost_centre(slug, actor=ACTOR, now=NOON)
    with pytest.raises(WrongValue):
        keys.create_agent(slug, cost_centre="org", actor=ACTOR, now=NOON)


def test_names_are_taken_once_and_parents_exist(people):
    with pytest.raises(AlreadyExists):
        keys.create_cost_centre("org", actor=ACTOR, now=NOON)
    with pytest.raises(AlreadyExists):
        keys.create_agent("ada", cost_centre="org", actor=ACTOR, now=NOON)
    with pytest.raises(CostCentreNotFound):
        keys.create_cost_centre("new", parent="nowhere", actor=ACTOR, now=NOON)
    with pytest.raises(CostCentreNotFound):
        keys.create_agent("new", cost_centre="nowhere", actor=ACTOR, now=NOON)


def test_a_token_is_shown_once_and_kept_as_a_digest(people):
    row, token = issue()
    assert token.startswith("bt")
    assert token not in str(AgentToken.objects.values()[0])
    assert row.expires_at == NOON + timedelta(days=365)
    assert row.scopes == ["spend", "read"]


def test_two_tokens_may_live_at_once_and_a_third_when_one_ended(people):
    first, _ = issue(days=1)
    issue()
    with pytest.raises(TooManyTokens):
        issue()
    assert issue(now=NOON + timedelta(days=1))
    keys.revoke_token(first, actor=ACTOR, now=NOON)
    with pytest.raises(TooManyTokens):
        issue(now=NOON + timedelta(days=1))


def test_revoking_twice_is_once(people):
    row, _ = issue()
    for minutes in (1, 2):
        keys.revoke_token(row, actor=ACTOR, now=NOON + timedelta(minutes=minutes))
    row.refresh_from_db()
    assert row.revoked_at == NOON + timedelta(minutes=1)
    assert AuditEntry.objects.filter(action="token.revoke", before__token=row.prefix).count() == 1


@pytest.mark.parametrize("terms", [{"days": 0}, {"days": 3651}, {"scopes": []}, {"scopes": ["x"]}])
def test_tokens_that_cannot_be_are_refused(people, terms):
    with pytest.raises(WrongValue):
        issue(**terms)
    with pytest.raises(AgentNotFound):
        keys.issue_token(Agent(slug="mallory"), actor=ACTOR, now=NOON)
    assert not AgentToken.objects.exists()


def test_an_agent_that_is_off_gets_nothing_new_but_what_it_used_is_recorded(people):
    add_key("nvidia-1")
    allocation = allocate()
    for _ in range(2):
        keys.disable_agent(ada(), actor=ACTOR, reason="runs wild", now=NOON)
    with pytest.raises(AgentDisabled):
        allocate()
    report(allocation, 10)
    for _ in range(2):
        keys.enable_agent(ada(), actor=ACTOR, now=NOON)
    assert allocate()
    switched = AuditEntry.objects.about("agent:ada").filter(after__has_key="disabled")
    assert [entry.action for entry in switched.order_by("id")] == ["agent.disable", "agent.enable"]
    assert_books_balance()


def test_a_new_agent_begins_with_a_limit_that_people_can_change(people, settings):
    settings.NEW_AGENT_TOKENS_PER_DAY = 5_000
    dora = keys.create_agent_of("dora", cost_centre="lab", actor=ACTOR, now=NOON)
    add_key("nvidia-1")
    with pytest.raises(LimitReached):
        allocate("dora", 5_001)
    limit(dora, 6_000)
    assert allocate("dora", 5_001)
    first = AuditEntry.objects.about("agent:dora").filter(action="limit.set").earliest("id")
    assert (first.after["tokens_per_day"], first.reason) == ("5000", "limit of new agents")
    assert_books_balance()


def test_the_limit_of_new_agents_can_be_switched_off(people, settings):
    settings.NEW_AGENT_TOKENS_PER_DAY = 0
    assert not keys.create_agent("dora", cost_centre="org", actor=ACTOR, now=NOON).limits.exists()
    assert not Agent.objects.get(pk="ada").limits.exists(), "agents that exist stay as they are"
