"""The rows that benchmarks spend from: equal keys, many agents, limits that are never reached."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.management import call_command
from django.db import connections

from keys import services as keys
from keys.models import Agent, Allocation, ApiKey, CostCentre
from keys.supply.pricing import Rates
from security.actor import Actor

KEYS = 8
AGENTS = 128
PLENTY = 10**13
ACTOR = Actor.job("bench")
RATES = Rates(input=Decimal("0.003"), output=Decimal("0.015"))


def now() -> datetime:
    """The moment of a call."""
    return datetime.now(UTC)


def make() -> None:
    """Tables, keys with a daily and a monthly limit, agents with a daily limit."""
    call_command("migrate", verbosity=0)
    keys.create_cost_centre("org", actor=ACTOR, now=now())
    for number in range(KEYS):
        api_key = add_key(f"key-{number}")
        for period in ("day", "month"):
            limit(api_key, period)
    for number in range(AGENTS):
        agent = keys.create_agent_without_limits(
            f"agent-{number}", cost_centre="org", actor=ACTOR, now=now()
        )
        limit(agent, "day")
    # The agent whose allocations are always refused.
    keys.create_agent_without_limits("poor", cost_centre="org", actor=ACTOR, now=now())
    limit(Agent.objects.get(pk="poor"), "day", amount=1)


def add_key(slug: str, **changes: Any) -> ApiKey:
    """An API key with a price and no limit."""
    values: dict[str, Any] = {"provider": "bench", "model": "model", "rates": RATES} | changes
    terms = keys.KeyTerms(**values)
    return keys.add_key(slug, terms=terms, secret="bench", actor=ACTOR, now=now())  # noqa: S106


def lend(agent: str, tokens: int = 1000, **terms: Any) -> Allocation:
    """One allocation."""
    allocation, _ = keys.allocate(
        agent=agent,
        request=keys.AllocationRequest(tokens=tokens, **terms),
        actor=Actor.agent(agent),
        now=now(),
    )
    return allocation


def tokens() -> list[str]:
    """A token of every agent, by its number."""
    agents = [Agent.objects.get(pk=f"agent-{number}") for number in range(AGENTS)]
    return [keys.issue_token(agent, actor=ACTOR, now=now())[1] for agent in agents]


def close_connections() -> None:
    """Before forking, and at the end of a thread."""
    connections.close_all()


def limit(
    subject: ApiKey | Agent | CostCentre, period: str, amount: int = PLENTY, unit: str = "tokens"
) -> None:
    """Set a limit, by default one that is never reached."""
    terms = keys.Terms(unit=unit, period=period, amount=amount)
    keys.set_limit(subject, terms=terms, reason="bench", actor=ACTOR, now=now())
