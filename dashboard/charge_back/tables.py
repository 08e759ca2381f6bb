"""Tables of charge-back: statements of closed months, rules for shared costs, mark-ups."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from gate.queries import bindings
from reports.models import CostShare, MarkUp, MonthClose
from reports.queries.closed_centres import CentreClose, frozen_centres

_MONTHS = 24
_FIGURES = ("usage", "corrections", "shared", "mark_up", "total")
_STATEMENTS = [
    Column("month", "Month", "link"),
    Column("centre", "Cost centre", "link"),
    Column("status", "Status", "status"),
    Column("usage", "Usage", "money", "USD", total=True),
    Column("corrections", "Corrections", "money", "USD", total=True),
    Column("shared", "Shared costs", "money", "USD", total=True),
    Column("mark_up", "Mark-up", "money", "USD", total=True),
    Column("total", "Total", "money", "USD", total=True),
]


def statements_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The statements of the last two years that the person may see, as far as they were spent where
    the person sees it; at most seven queries.

    The parameters `month`, such as 2026-10, and `centre` narrow it down.
    """
    closes = {close.pk: close for close in MonthClose.objects.standing()[:_MONTHS]}
    if month := query.get("month"):
        closes = {pk: close for pk, close in closes.items() if close.slug == month}
    centre = query.get("centre")
    found = frozen_centres(list(closes), within=bindings(user) or None)
    rows = [
        _statement_row(closes[pk], each)
        for pk, centres in found.items()
        for each in centres
        if centre in (None, "", each.cost_centre)
    ]
    table = Table(
        name="statements",
        title="Statements of cost centres",
        columns=_STATEMENTS,
        rows=rows,
        sort="-month",
        totals={name: sum(row[name] for row in rows) for name in _FIGURES},
        empty="No month is closed yet.",
    )
    return tables.paged(table, query)


def _statement_row(close: MonthClose, each: CentreClose) -> Row:
    url = links.url("statement", close.slug, each.cost_centre)
    return {
        "month": Cell(close.slug, url),
        "centre": Cell(each.cost_centre, url),
        "status": close.status,
        **{name: getattr(each, name) for name in _FIGURES},
    }


def cost_shares_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The rules by which shared costs are split; two queries."""
    shares = visible_to(user, CostShare.objects.prefetch_related("targets"))
    return tables.paged(
        Table(
            name="cost-shares",
            title="Rules for shared costs",
            columns=[
                Column("source", "Costs of"),
                Column("method", "Split"),
                Column("targets", "Among"),
            ],
            rows=[
                {
                    "source": share.source_id or "unallocated bucket",
                    "method": share.get_method_display(),
                    "targets": _targets(share),
                }
                for share in shares
            ],
            sort="source",
            empty="Each cost centre pays what it has used.",
        ),
        query,
    )


def _targets(share: CostShare) -> str:
    names = [
        f"{each.cost_centre_id} {tidy(each.percent)} %" if each.percent else each.cost_centre_id
        for each in share.targets.all()
    ]
    return ", ".join(names) or "nobody: all is unallocated"


def tidy(percent: Any) -> str:
    """A percentage without zeros at its end."""
    return f"{percent:f}".rstrip("0").rstrip(".")


def mark_ups_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The mark-ups and discounts of cost centres; one query."""
    return tables.paged(
        Table(
            name="mark-ups",
            title="Mark-ups and discounts of cost centres",
            columns=[
                Column("centre", "Cost centre"),
                Column("percent", "Added to its costs", "percent"),
            ],
            rows=[
                {"centre": each.cost_centre_id, "percent": each.percent}
                for each in visible_to(user, MarkUp.objects.all())
            ],
            sort="centre",
            prefix="mark-",
            empty="Statements have the costs as they are.",
        ),
        query,
    )
