"""What the template of a table shows: figures instead of values, and the links of its head."""

from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from dashboard import tables
from dashboard.changed_url import changed_url
from dashboard.figures import Figure, figure
from dashboard.tables import Cell, Column, Row, Table

# The query parameter that shows figures in full: for touch screens, and to read many of them.
EXACT = "exact"


class ShownCell(NamedTuple):
    """A cell as the template shows it; `number` is the value for programs that read the page."""

    column: Column
    figure: Figure
    number: str
    url: str
    title: str
    picture: str = ""
    is_part: bool = False

    @property
    def html(self) -> SafeString:
        """What the cell shows. No template, because a chart's table has a thousand cells."""
        shown = self._shown()
        if not self.url:
            return shown
        title = format_html(' title="{}"', self.title) if self.title else ""
        return format_html('<a href="{}"{}>{}</a>', self.url, title, shown)

    def _shown(self) -> SafeString:
        text, exact = self.figure.text, self.figure.exact
        if self.picture:
            return conditional_escape(self.picture)
        if self.column.kind == "status" and text:
            return format_html('<span class="badge {}">{}</span>', text, text)
        if self.number and self.column.is_figure:
            more = format_html(' data-exact="{}"', exact) if exact else ""
            return format_html(
                '<data class="figure" value="{}"{}>{}</data>', self.number, more, text
            )
        if exact:
            return format_html('<time title="{}">{}</time>', exact, text)
        return conditional_escape(text)


class ShownRow(NamedTuple):
    """The cells of a row, and its id on the page if the table names its rows."""

    id: str
    cells: list[ShownCell]


class Head(NamedTuple):
    """The head of a column: where it leads to sort by it, and how the rows are sorted now."""

    column: Column
    url: str
    sorted: str


def table_context(table: Table, request: HttpRequest, zone: ZoneInfo) -> dict[str, Any]:
    """The context of `dashboard/table.html`."""
    is_exact = request.GET.get(EXACT) == "1"
    absent = {column.name: "" for column in table.columns}
    sums = absent | {table.columns[0].name: "Total"} | dict(table.totals)
    return {
        "table": table,
        "heads": [_head(table, column, request) for column in table.columns],
        "rows": [
            ShownRow(_row_id(table, row), _cells(table, row, zone, is_exact)) for row in table.rows
        ],
        "totals": _cells(table, sums, zone, is_exact) if table.totals else None,
        "count": _count(table),
        "is_exact": is_exact,
        **_links(table, request, is_exact),
    }


def row_ids(table: Table) -> list[str]:
    """The ids of the rows on the page, as `keys-row-nvidia-1`."""
    return [_row_id(table, row) for row in table.rows]


def _row_id(table: Table, row: Row) -> str:
    return f"{table.name}-row-{tables.value(row, table.named_by)}" if table.named_by else ""


def _links(table: Table, request: HttpRequest, is_exact: bool) -> dict[str, str]:
    """Where the lines below the table lead."""
    links = {}
    if any(column.is_shortened for column in table.columns):
        changes = {} if is_exact else {EXACT: "1"}
        links["exact_url"] = changed_url(request, changes, without=(EXACT,))
    if request.GET.get(f"{table.prefix}after"):
        links["first_url"] = changed_url(request, {})
    if table.next_page:
        links["next_url"] = changed_url(request, {f"{table.prefix}after": table.next_page})
    if tables.is_registered(table.name):
        which = {"table": table.name} if table.prefix else {}
        links["csv_url"] = changed_url(request, {"format": "csv", "excel": "1", **which})
        links["xlsx_url"] = changed_url(request, {"format": "xlsx", **which})
    return links


def _head(table: Table, column: Column, request: HttpRequest) -> Head:
    """Figures and moments are sorted from the largest first, texts from A."""
    orders = {column.name: "ascending", f"-{column.name}": "descending"}
    choices = list(orders)
    if column.is_figure or column.kind == "moment":
        choices.reverse()
    wanted = choices[1] if table.sort == choices[0] else choices[0]
    url = changed_url(request, {f"{table.prefix}sort": wanted}) if column.sortable else ""
    return Head(column, url, orders.get(table.sort, ""))


def _cells(table: Table, row: Row, zone: ZoneInfo, is_exact: bool) -> list[ShownCell]:
    return [_cell(column, row.get(column.name), zone, is_exact) for column in table.columns]


def _cell(column: Column, value: Any, zone: ZoneInfo, is_exact: bool) -> ShownCell:
    cell = value if isinstance(value, Cell) else Cell(value)
    shown = figure(cell.value, kind=column.kind, zone=zone)
    if is_exact and shown.exact and column.is_shortened:
        shown = Figure(shown.exact.removesuffix(" tokens"))
    is_number = isinstance(cell.value, Decimal | int)
    number = f"{Decimal(cell.value):f}" if is_number else ""
    return ShownCell(column, shown, number, *cell[1:])


def _count(table: Table) -> str:
    """`50 of 1,329`; rows that were not counted to the end are `more than` so many."""
    shown = len(table.rows) if table.shown is None else table.shown
    if table.is_capped:
        return f"{shown:,} of more than {table.count:,}"
    return f"{shown:,} of {max(table.count, shown):,}"
