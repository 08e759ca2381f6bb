"""How the list of tasks is filtered: tabs of states, and a form."""

from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.visible_rows import visible_to
from dashboard.changed_url import changed_url
from dashboard.tasks.table import task_filter
from keys.models import Agent, CostCentre
from orchestration.queries.task_list import STATES, TaskFilter

# Who has more writes the name into the address.
_CHOICES_MAX = 500


class Tab(NamedTuple):
    """A state, or all of them, and the list of it."""

    title: str
    url: str
    is_current: bool


class Controls(NamedTuple):
    """What the filters of the list are, and what they can be: slugs and what is said of them."""

    tabs: list[Tab]
    chosen: TaskFilter
    agents: list[tuple[str, str]]
    centres: list[tuple[str, str]]
    sort: str


def controls(user: Any, request: HttpRequest) -> Controls:
    """Two queries."""
    chosen = task_filter(request.GET)
    tabs = [
        Tab(
            state.capitalize() or "All",
            changed_url(request, {"state": state} if state else {}, without=("state",)),
            chosen.state == state,
        )
        for state in ("", *STATES)
    ]
    return Controls(
        tabs=tabs,
        chosen=chosen,
        agents=_titles(
            visible_to(user, Agent.objects.all()).values_list("slug", "disabled_at"),
            "switched off",
            chosen.agent,
        ),
        centres=_titles(
            visible_to(user, CostCentre.objects.all()).values_list("slug", "closed_at"),
            "closed",
            chosen.cost_centre,
        ),
        sort=request.GET.get("sort", ""),
    )


def _titles(rows: QuerySet[Any, Any], ended: str, chosen: str) -> list[tuple[str, str]]:
    """What can be chosen, with what was: what has ended has tasks of the past."""
    titles = {chosen: chosen} if chosen else {}
    for slug, ended_at in rows.order_by("slug")[:_CHOICES_MAX]:
        titles[slug] = f"{slug} ({ended})" if ended_at else slug
    return sorted(titles.items())
