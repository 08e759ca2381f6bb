"""The table of a charge-back statement, on its page and in its files."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from common.admin.visible_rows import visible_to
from dashboard.tables import Column, Row, Table
from gate.queries import bindings
from keys.models import CostCentre
from reports.models import MonthClose
from reports.queries.statements import OWN_PARTS, Statement, StatementLine, statement

_NO_MONTH = date.min
_COLUMNS = [
    Column("what", "What", sortable=False),
    Column("agent", "Agent", sortable=False),
    Column("model", "Model", sortable=False),
    Column("label", "Label", sortable=False),
    Column("calls", "Calls", "count", sortable=False, total=True),
    Column("input_tokens", "Input", "tokens", "tokens", sortable=False, total=True),
    Column("output_tokens", "Output", "tokens", "tokens", sortable=False, total=True),
    Column("tokens", "Tokens", "tokens", sortable=False, total=True),
    Column("rate", "Per million", "money", "USD", sortable=False),
    Column("cost", "Cost", "money", "USD", sortable=False, total=True),
]


def statement_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The lines of the statement that the parameters `month` and `centre` name, if the person may
    see it; without lines if not."""
    try:
        month = date.fromisoformat(f"{query.get('month', '')}-01")
    except ValueError:
        month = _NO_MONTH
    centre = query.get("centre", "").replace("\0", "")
    close = MonthClose.objects.standing().filter(month=month).first()
    found = statement(close, centre, within=bindings(user) or None) if close else None
    is_of_now = visible_to(user, CostCentre.objects.filter(pk=centre)).exists()
    is_seen = is_of_now or found and any(line.part in OWN_PARTS for line in found.lines)
    return table_of(
        found if is_seen else None, title=f"Statement of {centre} for {query.get('month', '')}"
    )


def table_of(found: Statement | None, *, title: str) -> Table:
    """The lines with their sums; files say also what the statement opens and closes with."""
    lines = found.lines if found else []
    return Table(
        name="statement",
        title=title,
        columns=_COLUMNS,
        rows=[_row(line) for line in lines],
        totals={
            column.name: sum(getattr(line, column.name) or 0 for line in lines)
            for column in _COLUMNS
            if column.total
        },
        count=len(lines),
        facts=list(found.sums()) if found else [],
        empty="The cost centre has no costs in this month.",
    )


def _row(line: StatementLine) -> Row:
    return {column.name: getattr(line, column.name) for column in _COLUMNS}
