"""What the template of a table shows: figures instead of values, and the links of its head."""

from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from dashboard import figures, tables
from dashboard.changed_url import changed_url
from dashboard.tables import Cell, Column, Row, Table


class ShownCell(NamedTuple):
    """A cell as the template shows it."""

    column: Column
    figure: figures.Figure
    url: str
    title: str


class Head(NamedTuple):
    """The head of a column: where it leads to sort by it, and how the rows are sorted now."""

    column: Column
    url: str
    sorted: str


def table_context(table: Table, request: HttpRequest, zone: ZoneInfo) -> dict[str, Any]:
    """The context of `dashboard/table.html`."""
    context = {
        "table": table,
        "heads": [_head(table, column, request) for column in table.columns],
        "rows": [_cells(table, row, zone) for row in table.rows],
        "totals": _cells(table, {table.columns[0].name: "Total", **table.totals}, zone)
        if table.totals
        else None,
        "count": _count(table),
    }
    if table.next_page:
        context["next_url"] = changed_url(request, {f"{table.prefix}after": table.next_page})
    if tables.is_registered(table.name):
        which = {"table": table.name} if table.prefix else {}
        context["csv_url"] = changed_url(request, {"format": "csv", "excel": "1", **which})
        context["xlsx_url"] = changed_url(request, {"format": "xlsx", **which})
    return context


def _head(table: Table, column: Column, request: HttpRequest) -> Head:
    ascending, descending = column.name, f"-{column.name}"
    orders = {ascending: "ascending", descending: "descending"}
    first, second = (
        (descending, ascending)
        if column.is_figure or column.kind == "moment"
        else (ascending, descending)
    )
    wanted = second if table.sort == first else first
    url = changed_url(request, {f"{table.prefix}sort": wanted}) if column.sortable else ""
    return Head(column, url, orders.get(table.sort, ""))


def _cells(table: Table, row: Row, zone: ZoneInfo) -> list[ShownCell]:
    return [_cell(column, row.get(column.name), zone) for column in table.columns]


def _cell(column: Column, value: Any, zone: ZoneInfo) -> ShownCell:
    cell = value if isinstance(value, Cell) else Cell(value)
    is_text = isinstance(cell.value, str)
    figure = figures.figure(cell.value, kind="text" if is_text else column.kind, zone=zone)
    return ShownCell(column, figure, cell.url, cell.title)


def _count(table: Table) -> str:
    """`50 of 1,329`; the count of a table that was not counted to its end is `more than`."""
    shown = len(table.rows)
    if table.is_capped:
        return f"{shown:,} of more than {table.count:,}"
    return f"{shown:,} of {max(table.count, shown):,}"
