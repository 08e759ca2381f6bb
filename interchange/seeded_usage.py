"""Usage of any size, of a fleet of its own: for benchmarks and demos."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from interchange.simulated_usage.sessions import Simulation
from interchange.simulated_usage.workloads import ModelUse, Workload, calls_between
from keys import services as keys
from keys.models import Agent, Allocation, ApiKey, CostCentre
from security.actor import Actor

ROOT = "seed"
_FILE = Path(__file__).parent / "data" / "seeded_fleet.json"
_ACTOR = Actor.job("seed")
_SEED = 60
_SESSIONS_AT_ONCE = 2_500
_TOKENS_PER_MONTH = 10**12


def has_real_usage() -> bool:
    """Whether any session was on an API key of a real provider."""
    return Allocation.objects.filter(api_key__sandbox=False).exists()


def seed(*, charges: int, days: int, now: datetime) -> Iterator[int]:
    """Import about so many charges, over the last `days`; yields the number of each batch.

    The books balance after each batch. A second call adds the same usage again.
    """
    fleet = json.loads(_FILE.read_text(encoding="utf-8"))
    agents = _add_fleet(fleet, now=now)
    first, last = now.astimezone(UTC).date() - timedelta(days=days - 1), now.astimezone(UTC).date()
    keys.open_past_windows(since=datetime.combine(first, time(), UTC))
    name = f"{ROOT}-{now:%y%m%d%H%M%S}"
    workloads = _workloads(fleet, agents, charges=charges, first=first, last=last)
    sessions = Simulation(workloads, name=name, seed=_SEED).sessions(since=first, until=now)
    while batch := list(islice(sessions, _SESSIONS_AT_ONCE)):
        yield keys.import_sessions(batch, now=now)
    keys.roll_up_usage()


def _add_fleet(fleet: dict[str, Any], *, now: datetime) -> list[str]:
    """Add the cost centres, API keys and agents that are missing; returns the agents."""
    root = keys.ensure_cost_centre(ROOT, name="Seeded organisation", actor=_ACTOR, now=now)
    teams = []
    for department in fleet["departments"]:
        slug = f"{ROOT}-{department}"
        keys.ensure_cost_centre(slug, name=department.title(), parent=ROOT, actor=_ACTOR, now=now)
        for number in range(1, fleet["teams_each"] + 1):
            teams.append(f"{slug}-{number}")
            name = f"{department.title()} {number}"
            keys.ensure_cost_centre(teams[-1], name=name, parent=slug, actor=_ACTOR, now=now)
    known = ApiKey.objects.in_bulk(fleet["keys"])
    for slug, about in fleet["keys"].items():
        if slug not in known:
            _limit(_add_key(slug, about, now=now), now=now)
    agents = [f"{ROOT}-agent-{number}" for number in range(1, fleet["agents"] + 1)]
    known_agents = Agent.objects.in_bulk(agents)
    for slug, team in zip(agents, cycle(teams), strict=False):
        if slug not in known_agents:
            keys.create_agent_without_limits(slug, cost_centre=team, actor=_ACTOR, now=now)
    _limit(root, now=now)
    return agents


def _add_key(slug: str, about: dict[str, Any], *, now: datetime) -> ApiKey:
    # Not a secret, as its text shows.
    secret = f"{slug}-not-a-real-secret"
    terms = keys.KeyTerms(sandbox=True, **{**about, "serves": tuple(about["serves"])})
    return keys.add_key(slug, terms=terms, secret=secret, actor=_ACTOR, now=now)


def _models(about: dict[str, Any]) -> list[str]:
    return [about["model"], *about["serves"]]


def _limit(subject: ApiKey | CostCentre, *, now: datetime) -> None:
    # By the month: the books check compares the charges of a scope with each of its windows.
    terms = keys.Terms(unit="tokens", period="month", amount=_TOKENS_PER_MONTH)
    keys.set_limit(subject, terms=terms, reason=ROOT, actor=_ACTOR, now=now)


def _workloads(
    fleet: dict[str, Any], agents: list[str], *, charges: int, first: date, last: date
) -> list[Workload]:
    """Three of each agent, each on an API key of its own with all its models."""
    api_keys = cycle(fleet["keys"].items())
    workloads = [
        Workload(
            agent=agent,
            label=f"task:{agent}-{number}",
            models=tuple(ModelUse(key_id=slug, model=model) for model in _models(about)),
            sessions=1,
            **{**size, "calls": tuple(size["calls"])},
        )
        for agent in agents
        for number, (size, (slug, about)) in enumerate(
            zip(fleet["sizes"], api_keys, strict=False), 1
        )
    ]
    factor = charges / calls_between(tuple(workloads), first, last)
    return [replace(each, sessions=each.sessions * factor) for each in workloads]
