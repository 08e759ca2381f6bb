"""The demo fleet: adds the rows of `data/demo_fleet.json` that are missing."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from keys import services as keys
from keys.models import Agent, ApiKey, CostCentre, Limit, Provider
from keys.supply.pricing import Rates
from security.actor import Actor

_FILE = Path(__file__).parent / "data" / "demo_fleet.json"
_ACTOR = Actor.job("demo fleet")


class AddedCounts(NamedTuple):
    """How many API keys and agents of the demo fleet were added."""

    keys: int
    agents: int


def load(*, now: datetime) -> AddedCounts:
    """Add the rows of the demo fleet that are missing; rows that exist stay as they are."""
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    for slug, about in data["providers"].items():
        if not Provider.objects.filter(pk=slug).exists():
            keys.add_provider(slug, **about, actor=_ACTOR, now=now)
    for slug, about in data["cost_centres"].items():
        _set_missing_limits(
            keys.ensure_cost_centre(slug, **about["is"], actor=_ACTOR, now=now),
            about["limits"],
            now=now,
        )
    agents_before, keys_before = Agent.objects.count(), ApiKey.objects.count()
    for slug, about in data["agents"].items():
        row = Agent.objects.filter(pk=slug).first()
        _set_missing_limits(
            row or keys.create_agent_of(slug, actor=_ACTOR, now=now, **about["is"]),
            about["limits"],
            now=now,
        )
    for slug, about in data["keys"].items():
        _set_missing_limits(_api_key(slug, about, now=now), about["limits"], now=now)
    return AddedCounts(ApiKey.objects.count() - keys_before, Agent.objects.count() - agents_before)


def _api_key(slug: str, about: dict[str, Any], *, now: datetime) -> ApiKey:
    if api_key := ApiKey.objects.filter(pk=slug).first():
        return api_key
    terms = keys.KeyTerms(rates=_rates(about.get("rates")), sandbox=True, **about["is"])
    # Not a secret, as its text shows.
    secret = f"demo-{slug}-not-a-real-secret"
    return keys.add_key(slug, terms=terms, secret=secret, actor=_ACTOR, now=now)


def _rates(about: dict[str, str] | None) -> Rates | None:
    """USD per 1,000 tokens; None for those of the bundled price data."""
    if about is None:
        return None
    return Rates(input=Decimal(about["input"]), output=Decimal(about["output"]))


def _set_missing_limits(
    subject: ApiKey | Agent | CostCentre, limits: list[dict[str, Any]], *, now: datetime
) -> None:
    """Set the limits that `subject` never had; a removed limit stays removed."""
    column = {ApiKey: "api_key", Agent: "agent", CostCentre: "cost_centre"}[type(subject)]
    for limit in limits:
        terms = keys.Terms(**limit)
        existing = Limit.objects.filter(**{column: subject}, unit=terms.unit, period=terms.period)
        if not existing.exists():
            keys.set_limit(subject, terms=terms, reason="demo fleet", actor=_ACTOR, now=now)
