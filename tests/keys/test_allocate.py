"""Lending token budgets."""

from datetime import timedelta
from decimal import Decimal

import pytest

from keys import services as keys
from keys.models import Agent, Allocation, CostCentre, Window
from keys.refusals import (
    AgentDisabled,
    AgentNotFound,
    CostCentreNotFound,
    IdempotencyMismatch,
    LimitReached,
    ModelNotFound,
    NoKeyCapacity,
    ProviderNotFound,
    WrongValue,
)
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def committed(scope):
    """What the open windows of a scope have committed."""
    return [int(w.committed) for w in Window.objects.filter(scope=scope, closed_at=None)]


def test_an_allocation_is_committed_in_every_window_of_key_agent_and_cost_centres(people):
    key = add_key("nvidia-1")
    limit(key, 10_000_000, period="month")
    limit(Agent.objects.get(pk="ada"), 500_000)
    limit(CostCentre.objects.get(pk="org"), 2_000_000, period="total")
    allocation = allocate(tokens=100_000)
    assert allocation.api_key_id == "nvidia-1"
    assert allocation.rotation_threshold == 75_000
    assert committed("key:nvidia-1") == [100_000, 100_000]
    assert committed("agent:ada") == [100_000]
    assert committed("centre:org") == [100_000]
    assert_books_balance()


def test_a_full_window_of_the_cost_centre_refuses_and_commits_nothing(settings, people):
    add_key("nvidia-1")
    limit(CostCentre.objects.get(pk="org"), 5_000)
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=5_001)
    (window,) = refusal.value.windows
    assert window.scope == "centre:org"
    assert (window.amount, window.committed, window.needed) == (5_000, 0, 5_001)
    assert refusal.value.next_reset == NOON + timedelta(hours=12)
    assert refusal.value.detail == (
        "A limit of the agent or of its cost centre has no room: centre:org tokens per day is "
        "5,000, of which 0 are used and 0 committed; 5,001 are needed. The next reset is at "
        "2026-03-11 00:00 UTC. Ask for fewer tokens, or ask for more budget with POST "
        f"{settings.PUBLIC_URL}/api/v1/budget-requests. People ask at {settings.PUBLIC_URL}"
        "/budget-requests/new?scope=centre%3Aorg&unit=tokens&period=day&needed=5001"
    )
    assert committed("key:nvidia-1") == [0]
    assert allocate(tokens=5_000)
    assert_books_balance()


def test_a_usd_limit_counts_the_most_the_tokens_can_cost(people):
    add_key("openai-1", provider="openai", rates=PAID)
    limit(Agent.objects.get(pk="ada"), "1.50", unit="usd")
    with pytest.raises(LimitReached):
        allocate(tokens=100_001)
    allocation = allocate(tokens=100_000)
    assert str(allocation.allocated_cost) == "1.500000000"
    assert_books_balance()


def test_a_usd_limit_lets_a_free_key_through(people):
    add_key("openai-1", provider="openai", rates=PAID, priority=9)
    add_key("nvidia-1", priority=1)
    limit(Agent.objects.get(pk="ada"), 1, unit="usd")
    assert allocate(tokens=100_000).api_key_id == "nvidia-1"
    assert_books_balance()


def test_a_refusal_names_windows_alternatives_and_the_next_reset(people):
    add_key("nvidia-1", per_day=50_000)
    add_key("nvidia-2", per_day=80_000)
    with pytest.raises(NoKeyCapacity) as refusal:
        allocate(tokens=100_000)
    facts = refusal.value.facts()
    assert facts["alternatives"][0] == {
        "key_id": "nvidia-2",
        "provider": "nvidia",
        "capacity": 80_000,
    }
    assert {window["scope"] for window in facts["windows"]} == {"key:nvidia-1", "key:nvidia-2"}
    assert facts["next_reset"] == "2026-03-11T00:00:00+00:00"
    assert not Allocation.objects.exists()


def test_a_provider_without_a_candidate_is_expanded_to_all(people):
    add_key("nvidia-1", per_day=10_000)
    add_key("groq-1", provider="groq")
    allocation = allocate(provider="nvidia")
    assert (allocation.api_key_id, allocation.provider_expanded) == ("groq-1", True)


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        # Of the dearest tokens, at 0.015 USD per 1,000, these are 6,000 and 1,000.
        ([{"unit": "usd", "period": "month", "amount": Decimal("0.09")}], 5_000),
        ([{"unit": "usd", "period": "total", "amount": Decimal("0.015")}], 1_000),
        ([{"unit": "tokens", "period": "day", "amount": 3_000}], 3_000),
        (
            [
                {"unit": "tokens", "period": "week", "amount": 900},
                {"unit": "usd", "period": "day", "amount": 20},
            ],
            600,
        ),
    ],
)
def test_a_key_with_small_limits_is_lent_until_little_is_left(people, limits, tokens):
    """O70."""
    key = add_key("small-1", per_day=None, rates=PAID)
    for terms in limits:
        limit(key, terms["amount"], unit=terms["unit"], period=terms["period"])
    assert allocate(tokens=tokens).api_key_id == "small-1"
    with pytest.raises(NoKeyCapacity) as refusal:
        allocate(tokens=tokens)
    # The windows that have no room, by their amounts: 0.015 USD are the dearest 1,000 tokens.
    needed = {"tokens": tokens, "usd": Decimal(tokens) * 15 / 10**6}
    assert [(w.scope, w.needed) for w in refusal.value.windows] == [
        ("key:small-1", needed[limits[0]["unit"]])
    ]
    assert_books_balance()


def test_the_decision_says_why_every_candidate_won_or_lost(people):
    add_key("nvidia-1", priority=1)
    add_key("nvidia-2", priority=2)
    verdicts = allocate().decision.verdicts["verdicts"]
    assert [list(verdict[:2]) for verdict in verdicts] == [
        ["nvidia-2", "chosen"],
        ["nvidia-1", "lower_priority"],
    ]


def test_the_same_idempotency_key_is_the_same_allocation(people):
    add_key("nvidia-1")
    first, second = allocate(idempotency_key="once"), allocate(idempotency_key="once")
    assert first.pk == second.pk
    assert allocate("bob", idempotency_key="once").pk != first.pk
    with pytest.raises(IdempotencyMismatch):
        allocate(tokens=2000, idempotency_key="once")
    assert_books_balance()


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"provider": "nobody", "tokens": 2_000_000}, ProviderNotFound),
        ({"model": "none"}, ModelNotFound),
        ({"cost_centre": "sales"}, CostCentreNotFound),
        ({"cost_centre": "org"}, CostCentreNotFound),
        ({"cost_centre": "nowhere"}, CostCentreNotFound),
        ({"tokens": 0}, WrongValue),
        ({"ttl_seconds": 0}, WrongValue),
    ],
)
def test_what_cannot_be_is_refused(people, terms, refusal):
    add_key("nvidia-1")
    with pytest.raises(refusal):
        allocate(**terms)
    assert not Allocation.objects.exists()


def test_only_agents_that_are_on_are_lent_to(people):
    add_key("nvidia-1")
    keys.disable_agent(Agent.objects.get(pk="ada"), actor=ACTOR, reason="test", now=NOON)
    with pytest.raises(AgentDisabled):
        allocate()
    with pytest.raises(AgentNotFound):
        allocate("mallory")


def test_an_alternative_without_a_limit_is_named_as_such(people):
    add_key("nvidia-1", per_day=50_000)
    terms = keys.KeyTerms(provider="nvidia", model="model-2", rates=PAID)
    keys.add_key("nvidia-2", terms=terms, secret="secret", actor=ACTOR, now=NOON)
    with pytest.raises(NoKeyCapacity, match="nvidia-2 has no limit") as refusal:
        allocate(tokens=100_000, model="model-1")
    assert refusal.value.facts()["alternatives"][0]["capacity"] is None
