"""The table of routes: which alerts go where, and when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts.models import Route
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Table

# What the words of a route are made of.
ROUTE_PARTS = ("channels", "steps__channel", "steps__person", "recipients__person")
_COLUMNS = (
    Column("name", "Route", "link"),
    Column("state", "Status", "status"),
    Column("takes", "Takes"),
    Column("cost_centre", "Cost centre"),
    Column("channels", "Channels"),
    Column("people", "People"),
    Column("when", "When"),
    Column("quiet", "Quiet hours"),
    Column("escalation", "Escalation"),
)


def routes_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """All routes; five queries at most."""
    rows = visible_to(user, Route.objects.prefetch_related(*ROUTE_PARTS))
    return tables.paged(
        Table(
            name="routes",
            title="Routes",
            columns=_COLUMNS,
            rows=[
                {"name": Cell(route.name, links.url("route", route.pk)), **words(route)}
                for route in rows
            ],
            sort="name",
            empty="There is no route: each alert goes to every channel that wants it.",
        ),
        query,
    )


def words(route: Route) -> dict[str, str]:
    """What the route does, in words."""
    kinds = ", ".join(kind.replace("_", " ") for kind in route.kinds) or "all kinds"
    above = "" if route.severity_min == "critical" else " and above"
    return {
        "state": "disabled" if route.disabled_at else "enabled",
        "takes": f"{route.severity_min}{above}: {kinds}",
        "cost_centre": route.cost_centre or "all",
        "channels": ", ".join(each.name for each in route.channels.all()),
        "people": ", ".join(
            each.person.username if each.person else f"role {each.role}"
            for each in route.recipients.all()
        ),
        "when": _when(route),
        "quiet": _quiet(route),
        "escalation": ", ".join(
            f"after {step.after_minutes} min: {step.target_name}" for step in route.steps.all()
        ),
    }


def _when(route: Route) -> str:
    at = f" at {route.digest_at:%H:%M}" if route.digest_at else ""
    return f"{route.get_digest_display()}{at}{_exception(route, route.digest != 'none')}"


def _quiet(route: Route) -> str:
    if route.quiet_from is None or route.quiet_until is None:
        return ""
    hours = f"{route.quiet_from:%H:%M} to {route.quiet_until:%H:%M}"
    return f"{hours}{_exception(route, True)}"


def _exception(route: Route, waits: bool) -> str:
    return ", critical ones at once" if waits and route.critical_at_once else ""
