"""How the list of tasks is filtered: tabs of states, and a form."""

from typing import Any, NamedTuple

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
    """What the filters of the list are, and what they can be."""

    tabs: list[Tab]
    chosen: TaskFilter
    agents: list[str]
    centres: list[str]
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
        agents=_slugs(user, Agent, chosen.agent),
        centres=_slugs(user, CostCentre, chosen.cost_centre),
        sort=request.GET.get("sort", ""),
    )


def _slugs(user: Any, model: Any, chosen: str) -> list[str]:
    """What can be chosen, with what was."""
    rows = visible_to(user, model.objects.all()).order_by("slug")
    return sorted({*rows.values_list("slug", flat=True)[:_CHOICES_MAX], *filter(None, [chosen])})
