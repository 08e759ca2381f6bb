"""Actors and keys that tests of the Token Manager start from."""

from decimal import Decimal

import pytest

from keys import services as keys
from keys.pricing import Rates
from tests.conftest import NOON

FREE = Rates(input=Decimal(0), output=Decimal(0))
PAID = Rates(input=Decimal("0.003"), output=Decimal("0.015"))


def add_key(slug, *, per_day=1_000_000, rates=FREE, provider="nvidia", **changes):
    """An API key with one limit; `per_day=None` for none."""
    terms = keys.KeyTerms(provider=provider, model="model-1", rates=rates, **changes)
    api_key = keys.add_key(slug, terms=terms, secret=f"secret-{slug}", who="test", now=NOON)
    if per_day is not None:
        limit(api_key, per_day)
    return api_key


def limit(subject, amount, *, unit="tokens", period="day", now=NOON, **changes):
    """Set a limit."""
    terms = keys.Terms(unit=unit, period=period, amount=amount, **changes)
    return keys.set_limit(subject, terms=terms, why="test", who="test", now=now)


def allocate(agent="ada", tokens=1000, *, idempotency_key=None, now=NOON, **wish):
    """Lend, as `agent` asks."""
    return keys.allocate(
        agent=agent,
        wish=keys.Wish(tokens=tokens, **wish),
        idempotency_key=idempotency_key,
        now=now,
    )


def report(allocation, tokens, *, now=NOON, idempotency_key=None, **parts):
    """Report usage of `tokens` of input."""
    return keys.report_usage(
        allocation_id=allocation.pk,
        usage=keys.Usage(input_tokens=tokens, **parts),
        idempotency_key=idempotency_key,
        now=now,
    )


@pytest.fixture
def people(db):
    """`ada` spends, `bob` is of her cost centre, `carol` is a stranger."""
    keys.create_cost_centre("org")
    keys.create_cost_centre("research", parent="org")
    keys.create_cost_centre("sales", parent="org")
    for name, centre in (("ada", "research"), ("bob", "research"), ("carol", "sales")):
        keys.create_agent(name, cost_centre=centre, who="test", now=NOON)
