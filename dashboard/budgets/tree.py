"""The tree of cost centres with their agents, each with its limit of one unit and period."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from common.admin.visible_rows import visible_to
from dashboard.budgets.budget import limit_title
from keys.books.queries.pages import Meter, budget_meters
from keys.models import Agent, CostCentre, Limit, Window

_PERIODS = ("month", "week", "day", "hour", "quarter", "year", "total")
_ORDER = [(unit, period) for unit in ("usd", "tokens") for period in _PERIODS]


class Choice(NamedTuple):
    """Limits of which unit and period are shown: tokens and US dollars are never added."""

    unit: str
    period: str

    @property
    def rank(self) -> int:
        """Sorts them as they are shown: US dollars first, months first."""
        return _ORDER.index((self.unit, self.period))

    @property
    def title(self) -> str:
        """`USD a month`."""
        return limit_title(self.unit, self.period)

    @property
    def query(self) -> str:
        """The query parameters that choose it."""
        return f"unit={self.unit}&period={self.period}"


class TreeLine(NamedTuple):
    """A cost centre or an agent in the tree; `path`: those above that the person sees, and itself.

    `meter`: its limit, if it has one.
    """

    scope: str
    slug: str
    path: tuple[str, ...]
    meter: Meter | None

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent."""
        return self.scope.startswith("agent:")


def choices(user: Any) -> list[Choice]:
    """Each unit and period that a limit of what the person sees has; one query."""
    limits = visible_to(user, Limit.objects.filter(removed_at=None, api_key=None))
    present = {*limits.order_by().values_list("unit", "period").distinct()}
    return [Choice(*each) for each in _ORDER if each in present]


def chosen(present: list[Choice], query: Mapping[str, str]) -> Choice:
    """The choice that the query parameters name; else the first that is present."""
    asked = Choice(query.get("unit", ""), query.get("period", ""))
    return asked if asked in present else present[0] if present else Choice(*_ORDER[0])


def tree_lines(user: Any, choice: Choice, *, now: datetime) -> list[TreeLine]:
    """All cost centres that the person sees, and the agents with such a limit, each below its cost
    centre; three queries."""
    windows = Window.objects.filter(
        unit=choice.unit, limit__period=choice.period, limit__api_key=None
    )
    meters = {each.scope: each for each in budget_meters(visible_to(user, windows), now=now)}
    agents = visible_to(user, Agent.objects.order_by()).filter(
        limits__unit=choice.unit, limits__period=choice.period, limits__removed_at=None
    )
    paths = _paths(user)
    lines = [_line("centre", path, meters) for path in paths.values()]
    lines += [
        _line("agent", (*paths.get(centre, ()), slug), meters)
        for slug, centre in agents.values_list("slug", "cost_centre")
    ]
    return sorted(lines, key=_place)


def _paths(user: Any) -> dict[str, tuple[str, ...]]:
    """Of each cost centre that the person sees, those above it that they see, and itself."""
    centres = dict(visible_to(user, CostCentre.objects.order_by()).values_list("slug", "path"))
    return {slug: tuple(each for each in path if each in centres) for slug, path in centres.items()}


def _line(kind: str, path: tuple[str, ...], meters: Mapping[str, Meter]) -> TreeLine:
    scope = f"{kind}:{path[-1]}"
    return TreeLine(scope, path[-1], path, meters.get(scope))


def _place(line: TreeLine) -> list[tuple[bool, str]]:
    """Below each cost centre its agents come first."""
    *above, slug = line.path
    return [*((True, each) for each in above), (not line.is_agent, slug)]
