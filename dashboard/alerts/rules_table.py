"""The table of rules: what each watches, and what it has found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from alerts import rules
from alerts.models import AlertRule
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Table

_COLUMNS = (
    Column("name", "Rule", "link"),
    Column("state", "Status", "status"),
    Column("kind", "Watches"),
    Column("tells_from", "Tells from"),
    Column("cost_centre", "Cost centre"),
    Column("running", "Incidents now", "count"),
    Column("evaluated", "Evaluated", "moment"),
)


def rules_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """All rules; one query."""
    running = Count("incidents", Q(incidents__ended_at=None))
    rows: QuerySet[Any] = visible_to(user, AlertRule.objects.annotate(running=running))
    return tables.paged(
        Table(
            name="alert-rules",
            title="Rules",
            columns=_COLUMNS,
            rows=[
                {
                    "name": Cell(rule.name, links.url("alert_rule", rule.pk)),
                    "running": rule.running,
                    "evaluated": rule.evaluated_at,
                    **words(rule),
                }
                for rule in rows
            ],
            sort="name",
            empty="There is no rule yet. Choose below what Butler should watch.",
        ),
        query,
    )


def words(rule: AlertRule) -> dict[str, Any]:
    """What the rule does, in words."""
    kind = rules.all_kinds().get(rule.kind)
    return {
        "state": "disabled" if rule.disabled_at else "enabled",
        "kind": kind.title if kind else rule.kind,
        "about": kind.about if kind else "No part of Butler knows this kind.",
        "tells_from": f"{rule.figure.normalize():,f} {kind.figure.lower() if kind else ''}",
        "cost_centre": rule.cost_centre or "all",
    }
