"""The list of months: which are closed, with their frozen figures, and which are open."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.spend import Spend
from keys.identity.queries.organisation import organisation
from reports import queries as reports
from reports.models import MonthClose

_COLUMNS = [
    Column("month", "Month", "link"),
    Column("status", "Status", "status"),
    Column("calls", "Calls", "count", total=True),
    Column("tokens", "Tokens", "tokens", total=True),
    Column("cost", "Cost", "money", "USD", total=True),
    Column("locked", "Locked", "moment"),
    Column("signed", "Signed by", sortable=False),
]


def month_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """Every closed month, and those that are open."""
    zone = ZoneInfo(organisation().reporting_zone)
    closes = visible_to(user, MonthClose.objects.standing())
    rows = [
        *(_open_row(*each) for each in reports.open_months(zone=zone, now=now).items()),
        *(_closed_row(close) for close in closes),
    ]
    sums = {name: sum(tables.value(row, name) for row in rows) for name in _SUMMED}
    table = Table(
        name="month-closes",
        title="Months",
        columns=_COLUMNS,
        rows=rows,
        sort="-month",
        totals=sums,
    )
    return tables.paged(table, query)


_SUMMED = [column.name for column in _COLUMNS if column.total]


def _open_row(month: date, spend: Spend) -> Row:
    return {
        "month": _month_cell(month),
        "status": "open",
        "calls": spend.calls,
        "tokens": spend.tokens,
        "cost": spend.cost,
        "locked": None,
        "signed": "",
    }


def _closed_row(close: MonthClose) -> Row:
    signers = [name for name in (close.first_signed_by, close.second_signed_by) if name]
    return {
        "month": _month_cell(close.month),
        "status": close.status,
        "calls": close.calls,
        "tokens": close.tokens,
        "cost": close.cost,
        "locked": close.locked_at,
        "signed": " and ".join(signers),
    }


def _month_cell(month: date) -> Cell:
    slug = f"{month:%Y-%m}"
    return Cell(slug, links.url("month", slug))
