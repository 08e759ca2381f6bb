"""The tables of statements, and of the lines of one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from treasury.models import Account, RailStatement, RailStatementLine
from treasury.queries.rail_statements import rail_statements, statement_lines

_MOST = 5_000
_COLUMNS = (
    Column("statement", "Statement", "link"),
    Column("account", "Account", "link"),
    Column("since", "From"),
    Column("until", "Through"),
    Column("opening", "Opening", sortable=False),
    Column("closing", "Closing", sortable=False),
    Column("lines", "Lines", "count"),
    Column("open", "Open differences", "count"),
    Column("file", "File"),
    Column("by", "Imported by"),
    Column("at", "When", "moment"),
)
_LINE_COLUMNS = (
    Column("line", "Line", sortable=False),
    Column("day", "Day", sortable=False),
    Column("amount", "Amount", sortable=False),
    Column("kind", "Kind", sortable=False),
    Column("transfer", "In the ledger", "status", sortable=False),
    Column("reference", "Reference", sortable=False),
    Column("their_reference", "Bank's reference", sortable=False),
    Column("description", "Description", sortable=False),
)


def statements_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The statements, the latest days first."""
    rows: list[Row] = [
        {
            "statement": Cell(each.pk, links.url("rail_statement", each.pk)),
            "account": Cell(each.account.name, links.url("account", each.account_id)),
            "since": each.since.isoformat(),
            "until": each.until.isoformat(),
            "opening": _money(each.opening, each.account),
            "closing": _money(each.closing, each.account),
            "lines": each.line_count,
            "open": each.open_count,
            "file": each.file_name,
            "by": each.imported_by,
            "at": each.imported_at,
        }
        for each in visible_to(user, rail_statements())[:_MOST]
    ]
    return tables.paged(
        Table(
            name="rail-statements",
            title="Statements",
            columns=_COLUMNS,
            rows=rows,
            sort="-until",
            empty="No statement was imported yet.",
        ),
        query,
    )


def lines_table(statement: RailStatement, query: Mapping[str, str]) -> Table:
    """The lines of a statement in the order of the file."""
    start = tables.offset(query.get("after", ""), statement.line_count)
    end = start + tables.PAGE_ROWS
    return Table(
        name="rail-statement-lines",
        title=f"Lines of statement {statement.pk}",
        columns=_LINE_COLUMNS,
        rows=[_line_row(each, statement.account) for each in statement_lines(statement)[start:end]],
        count=statement.line_count,
        next_page=str(end) if end < statement.line_count else "",
        empty="The statement has no lines: nothing moved.",
    )


def _line_row(each: RailStatementLine, account: Account) -> Row:
    matched = list(each.matches.all())
    return {
        "line": each.position,
        "day": each.day.isoformat(),
        "amount": _money(each.amount, account),
        "kind": each.kind,
        "transfer": _matched(match.transfer_id for match in matched),
        "reference": each.reference,
        "their_reference": each.their_reference,
        "description": each.description,
    }


def _money(amount: Decimal, account: Account) -> str:
    """The amount in the places and the currency of its account."""
    return f"{amount:,.{min(account.scale, 9)}f} {account.currency}"


def _matched(numbers: Iterable[int]) -> str:
    found = ", ".join(str(number) for number in numbers)
    return f"transfer {found}" if found else "not matched"
