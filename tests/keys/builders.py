"""Builders of keys, agents, limits and calls for tests of the books."""

from decimal import Decimal
from itertools import count

from keys import services as keys
from keys.supply.pricing import Rates
from security.actor import Actor
from tests.actors import ACTOR
from tests.moments import NOON
from tests.remembered_rows import remember_rows

_CALLS = count(1)
FREE = Rates(input=Decimal(0), output=Decimal(0))
PAID = Rates(input=Decimal("0.003"), output=Decimal("0.015"))


def add_key(slug, *, per_day=1_000_000, rates=FREE, provider="nvidia", **changes):
    """An API key with one limit; `per_day=None` for none."""
    terms = keys.KeyTerms(provider=provider, model="model-1", rates=rates, **changes)
    api_key = keys.add_key(slug, terms=terms, secret=f"secret-{slug}", actor=ACTOR, now=NOON)
    if per_day is not None:
        limit(api_key, per_day)
    return api_key


def limit(subject, amount, *, unit="tokens", period="day", now=NOON, **changes):
    """Set a limit."""
    terms = keys.Terms(unit=unit, period=period, amount=amount, **changes)
    return keys.set_limit(subject, terms=terms, reason="test", actor=ACTOR, now=now)


def allocate(agent="ada", tokens=1000, *, idempotency_key=None, now=NOON, **terms):
    """Lend, as `agent` asks."""
    allocation, _ = keys.allocate(
        agent=agent,
        request=keys.AllocationRequest(tokens=tokens, **terms),
        idempotency_key=idempotency_key,
        actor=Actor.agent(agent),
        now=now,
    )
    return allocation


def refuse(slug, finding, *, now=NOON, actor=ACTOR, **about):
    """The provider refuses a key."""
    refusal = keys.KeyRefusal(
        finding=keys.KeyFinding(finding), reason="the provider said no", **about
    )
    return keys.key_refused(slug, refusal=refusal, actor=actor, now=now)


def report(allocation, tokens, *, now=NOON, idempotency_key=None, scopes=(), **parts):
    """Report usage of `tokens` of input."""
    charge, _ = keys.report_usage(
        allocation_id=allocation.pk,
        usage=keys.Usage(input_tokens=tokens, **parts),
        idempotency_key=idempotency_key,
        scopes=scopes,
        now=now,
    )
    return charge


def adjust(charge, tokens, *, now=NOON, idempotency_key=None, cost=None, **parts):
    """Adjust a charge to `tokens` of input."""
    adjustment, _ = keys.adjust_charge(
        charge_id=charge.pk,
        usage=keys.Usage(input_tokens=tokens, **parts),
        cost=cost,
        reason="as billed",
        actor=ACTOR,
        idempotency_key=idempotency_key,
        now=now,
    )
    return adjustment


def hold(allocation, tokens, *, idempotency_key=None, now=NOON, **options):
    """Set aside; each call has its own idempotency key unless given."""
    charge, _ = keys.hold(
        allocation_id=allocation.pk,
        tokens=tokens,
        idempotency_key=idempotency_key or f"call-{next(_CALLS)}",
        now=now,
        **options,
    )
    return charge


def settle(charge, tokens, *, now=NOON, **parts):
    """Settle at `tokens` of input; 1, or 0 when it was settled before."""
    return keys.settle(charge=charge, usage=keys.Usage(input_tokens=tokens, **parts), now=now)


def rotate(allocation, key=None, *, idempotency_key=None, now=NOON):
    """Move what is left, as a person asks."""
    rotation, _ = keys.rotate(
        allocation=allocation,
        key=key,
        reason="test",
        actor=ACTOR,
        idempotency_key=idempotency_key,
        now=now,
    )
    return rotation


def complete(allocation, *, now=NOON):
    """The agent is done."""
    return keys.complete(allocation_id=allocation.pk, actor=ACTOR, now=now)


@remember_rows
def make_people():
    """`ada` spends, `bob` is of her cost centre, `carol` is a stranger."""
    keys.create_cost_centre("org", actor=ACTOR, now=NOON)
    keys.create_cost_centre("research", parent="org", actor=ACTOR, now=NOON)
    keys.create_cost_centre("sales", parent="org", actor=ACTOR, now=NOON)
    for name, centre in (("ada", "research"), ("bob", "research"), ("carol", "sales")):
        keys.create_agent_without_limits(name, cost_centre=centre, actor=ACTOR, now=NOON)
