"""What a request would get is what it gets."""

from decimal import Decimal

import pytest

from common.refusal import Refusal
from keys import services as keys
from keys.books.queries.previews import previews
from keys.models import Agent, Allocation, Window
from keys.refusals import AgentDisabled, AgentNotFound, CostCentreNotFound, WrongValue
from security.actor import Actor
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db

ADA = Actor.agent("ada")


def preview(agent="ada", *, now=NOON, **terms):
    """What one request would get."""
    terms = keys.AllocationRequest(**{"tokens": 1000, **terms})
    return previews(agent=agent, requests=[terms], now=now)[terms]


def fleet():
    """Keys of three providers, and limits that some wishes are too large for."""
    add_key("nvidia-1", priority=5, per_day=50_000)
    add_key("openai-1", provider="openai", rates=PAID)
    add_key("groq-1", provider="groq", per_day=20_000, priority=9)
    ada = Agent.objects.get(pk="ada")
    limit(ada, 60_000)
    limit(ada, "0.30", unit="usd")


def granted(terms):
    """The key of an allocation, or the code of the refusal."""
    try:
        return keys.allocate(agent="ada", request=terms, actor=ADA, now=NOON)[0].api_key_id
    except Refusal as refusal:
        return refusal.code


REQUESTS = [
    keys.AllocationRequest(tokens=tokens, provider=provider, model=model, wire_format=wire_format)
    for tokens in (1_000, 20_001, 50_001, 60_001)
    for provider in (None, "openai", "nobody")
    for model in (None, "model-1", "model-2")
    for wire_format in (None, "anthropic")
]


@pytest.mark.parametrize("terms", REQUESTS, ids=str)
def test_a_preview_says_what_allocate_does(people, terms):
    fleet()
    answer = previews(agent="ada", requests=[terms], now=NOON)[terms]
    assert (answer.key_id or answer.refusal.code) == granted(terms)


def test_a_preview_has_the_key_its_provider_its_model_and_what_tokens_cost_there(people):
    add_key("openai-1", provider="openai", rates=PAID)
    answer = preview()
    assert (answer.key_id, answer.provider, answer.model) == ("openai-1", "openai", "model-1")
    assert (answer.cost(1000), answer.refusal) == (Decimal("0.015"), None)
    assert preview(tokens=10**9).cost(1000) is None


def test_a_preview_writes_nothing_and_holds_nothing(people):
    fleet()
    before = AuditEntry.objects.count()
    for _ in range(100):
        assert preview(tokens=15_000).key_id == "groq-1"
    assert not Allocation.objects.exists()
    assert set(Window.objects.values_list("committed", flat=True)) == {0}
    assert AuditEntry.objects.count() == before


def test_a_window_that_has_ended_counts_as_the_next_one(people):
    add_key("nvidia-1", per_day=20_000)
    keys.allocate(agent="ada", request=keys.AllocationRequest(tokens=15_000), actor=ADA, now=NOON)
    assert preview(tokens=8_000).refusal.code == "no_key_capacity"
    windows = Window.objects.count()
    tomorrow = NOON.replace(day=11)
    Window.objects.update(used=5_000, committed=0)
    assert preview(tokens=18_000, now=tomorrow).key_id == "nvidia-1"
    assert Window.objects.count() == windows


def test_equal_wishes_are_decided_once_and_the_fleet_is_read_once(
    people, django_assert_max_num_queries
):
    fleet()
    wishes = [keys.AllocationRequest(tokens=1000 + number % 7) for number in range(10_000)]
    with django_assert_max_num_queries(3):
        found = previews(agent="ada", requests=wishes, now=NOON)
    assert {said.key_id for said in found.values()} == {"groq-1"}
    assert len(found) == 7


def test_a_cost_centre_below_has_limits_of_its_own(people):
    add_key("nvidia-1")
    limit(keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON), 500)
    assert preview(cost_centre="lab").refusal.code == "limit_reached"
    assert preview().key_id == "nvidia-1"


def test_what_no_wish_could_change_is_refused(people):
    with pytest.raises(AgentNotFound):
        preview("nobody")
    with pytest.raises(CostCentreNotFound):
        preview(cost_centre="sales")
    with pytest.raises(WrongValue):
        preview(tokens=0)
    keys.disable_agent(Agent.objects.get(pk="ada"), reason="test", actor=ACTOR, now=NOON)
    with pytest.raises(AgentDisabled):
        preview()
