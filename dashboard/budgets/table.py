"""The table of budgets: the tree, or its lines sorted by a figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import format_html

from dashboard import tables
from dashboard.budget_links import scope_url
from dashboard.budgets.budget import Budget, landed
from dashboard.budgets.tree import Choice, TreeLine, choices, chosen, tree_lines
from dashboard.budgets.usage import usage_of_many
from dashboard.tables import Cell, Column, Kind, Row, Table
from keys.identity.queries.organisation import organisation
from keys.identity.queries.placements import placement_paths
from keys.models import Period
from prediction.run_rate.landing import NEVER_LANDS

_LEVELS_MAX = 6
_BATCH = 500


def budgets_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The budgets of the unit and period that the query parameters choose."""
    zone = ZoneInfo(organisation().reporting_zone)
    return table_of(user, chosen(choices(user), query), query, zone=zone, now=now)


def table_of(
    user: Any, choice: Choice, query: Mapping[str, str], *, zone: ZoneInfo, now: datetime
) -> Table:
    """One page of the tree; it is looked where budgets land only for rows that are shown.

    Six queries.
    """
    lines = tree_lines(user, choice, now=now)
    landings = _Landings(user, choice, placement_paths(), zone, now)
    page = tables.paged(
        Table(
            name="budgets",
            title=f"Budgets, {choice.title}",
            columns=_columns(choice.unit, carries=any(_has_carried(line) for line in lines)),
            rows=[{"line": line, **_cells(line)} for line in lines],
            empty="No cost centre is in this part of the tree.",
        ),
        query,
    )
    every, is_tree = list(page.all_rows()), not page.sort
    return replace(
        page,
        rows=[row | _name_cell(row["line"], is_tree) for row in landings.rows(page.rows)],
        every_row=lambda: landings.in_batches(every),
    )


@dataclass(frozen=True)
class _Landings:
    """Adds to rows where their budgets land."""

    user: Any
    choice: Choice
    paths: Mapping[str, Sequence[str]]
    zone: ZoneInfo
    now: datetime

    def rows(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows with their landings; two queries."""
        limited = {row["line"].scope for row in rows if row["line"].meter}
        usage = usage_of_many(
            self.user,
            () if self.choice.period in NEVER_LANDS else limited,
            unit=self.choice.unit,
            paths=self.paths,
            zone=self.zone,
            now=self.now,
        )
        return [dict(row) | self._landing(row["line"], usage) for row in rows]

    def in_batches(self, rows: Sequence[Row]) -> Iterator[Row]:
        """All rows with their landings, for files."""
        for start in range(0, len(rows), _BATCH):
            yield from self.rows(rows[start : start + _BATCH])

    def _landing(self, line: TreeLine, usage: Mapping[str, Any]) -> dict[str, Any]:
        if line.meter is None:
            return {}
        used = usage.get(line.scope, {})
        return _landing_cells(landed(line.meter, used, zone=self.zone, now=self.now))


def _has_carried(line: TreeLine) -> bool:
    return line.meter is not None and line.meter.carried > 0


def _columns(unit: str, *, carries: bool) -> list[Column]:
    kind: Kind = "money" if unit == "usd" else "tokens"
    said = "USD" if unit == "usd" else "tokens"

    def figure(name: str, label: str, *, sortable: bool = True) -> Column:
        return Column(name, label, kind, said, sortable=sortable)

    return [
        Column("name", "Cost centre or agent", "link"),
        figure("budget", "Budget"),
        *([figure("carried", "Carried over")] if carries else []),
        figure("spent", "Spent"),
        figure("committed", "Committed"),
        figure("free", "Free"),
        Column("used", "Used", sortable=False),
        figure("landing", "Landing", sortable=False),
        figure("variance", "Variance", sortable=False),
        Column("outlook", "Outlook", "status", sortable=False),
        Column("resets_at", "Resets", "moment"),
    ]


def _cells(line: TreeLine) -> dict[str, Any]:
    name = {"name": Cell(" / ".join(line.path), scope_url(line.scope) or "")}
    if (meter := line.meter) is None:
        return name | {"outlook": ""}
    return name | {
        "budget": meter.amount + meter.granted,
        "carried": meter.carried,
        "spent": meter.used,
        "committed": meter.committed,
        "free": meter.free,
        "resets_at": None if meter.period == Period.TOTAL else meter.resets_at,
    }


def _landing_cells(budget: Budget) -> dict[str, Any]:
    return {
        "used": Cell(budget.text, picture=budget.bar),
        "landing": budget.landing and budget.landing.cost,
        "variance": budget.variance,
        "outlook": "over" if budget.is_over else "",
    }


def _name_cell(line: TreeLine, is_tree: bool) -> dict[str, Cell]:
    """In the tree, the name alone and how deep it is; else with those above."""
    above, kind = " / ".join(line.path[:-1]), "agent" if line.is_agent else ""
    level = min(len(line.path), _LEVELS_MAX) if is_tree else 1
    picture = format_html(
        '<span class="level-{}">{}{} <small>{}</small></span>',
        level,
        "" if is_tree or not above else f"{above} / ",
        line.slug,
        kind,
    )
    return {"name": Cell(" / ".join(line.path), scope_url(line.scope) or "", picture=picture)}
