"""The concurrency limits, and how much of each is taken."""

from contextlib import suppress
from typing import NamedTuple

from django.conf import settings

from common.statements import fetch_unprepared
from keys.models import CostCentre
from orchestration import runners, sql
from orchestration.models import Concurrency
from orchestration.refusals import RunnerNotFound


class ConcurrencyUse(NamedTuple):
    """A concurrency limit: at most `attempts_max` attempts of `scope` run at once, and `running`
    do now. `is_set`: whether a person has set it; otherwise it is that of the settings."""

    scope: str
    attempts_max: int
    running: int
    is_set: bool


def running_by_scope() -> dict[str, int]:
    """The number of running attempts by scope, for every scope that may have a limit."""
    return {each.scope: each.attempts for each in fetch_unprepared(sql.RUNNING_BY_SCOPE)}


def concurrency_limits() -> list[ConcurrencyUse]:
    """Every limit that a person has set, and that of everything; two queries.

    Agents without one here have the limit `settings.AGENT_ATTEMPTS_MAX`.
    """
    running = running_by_scope()
    limits = dict(Concurrency.objects.values_list("scope", "attempts_max"))
    most_of = {"all": settings.ATTEMPTS_MAX} | limits
    return [
        ConcurrencyUse(scope, most, running.get(scope, 0), scope in limits)
        for scope, most in sorted(most_of.items())
    ]


def limits_on(agent: str, *, cost_centre: str) -> list[ConcurrencyUse]:
    """The limits that can hold back work of an agent: of everything, of itself, of the cost centres
    that pay for it, of every provider, and of the runners that it may use."""
    path = CostCentre.objects.values_list("path", flat=True).get(pk=cost_centre)
    own = {"all", f"agent:{agent}", *(f"centre:{slug}" for slug in path)}
    return [
        each
        for each in concurrency_limits()
        if each.scope in own or _may_use(each.scope, agent=agent)
    ]


def _may_use(scope: str, *, agent: str) -> bool:
    kind, _, name = scope.partition(":")
    if kind == "runner":
        with suppress(RunnerNotFound):
            runners.check(name, agent=agent)
            return True
    return kind == "provider"
