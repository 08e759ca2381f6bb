"""Create agents with the limit that the settings give to new agents."""

from datetime import datetime

from django.conf import settings
from django.db import transaction

from keys.identity.services.agents import (
    create_agent_without_limits,
    ensure_cost_centre_below_root,
)
from keys.limits.services.limits import Terms, give_limit
from keys.models import Agent, Period, Unit
from security.actor import Actor


@transaction.atomic
def create_agent(
    slug: str, *, cost_centre: str, name: str = "", reason: str = "", actor: Actor, now: datetime
) -> Agent:
    """Create an agent of a cost centre, with the limit of the settings, which people can change.

    Refusals: AlreadyExists, CostCentreNotFound, WrongValue.
    """
    agent = create_agent_without_limits(
        slug, cost_centre=cost_centre, name=name, reason=reason, actor=actor, now=now
    )
    if tokens := settings.NEW_AGENT_TOKENS_PER_DAY:
        terms = Terms(unit=Unit.TOKENS, period=Period.DAY, amount=tokens)
        give_limit(agent, terms=terms, reason="limit of new agents", actor=actor, now=now)
    return agent


@transaction.atomic
def create_agent_of(
    slug: str, *, cost_centre: str, name: str = "", actor: Actor, now: datetime
) -> Agent:
    """`create_agent`, and its cost centre (below the root) if that is missing.

    Refusals: AlreadyExists, WrongValue.
    """
    ensure_cost_centre_below_root(cost_centre, actor=actor, now=now)
    return create_agent(slug, cost_centre=cost_centre, name=name, actor=actor, now=now)
