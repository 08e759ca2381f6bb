"""Tables as values: a page renders one with `{% table t %}`, an export writes the same one.

Each table of a page has a builder, registered under the name of the table:

    def spend_table(user, query, now) -> Table: ...
    tables.register("spend", spend_table, permission="keys.view_charge")
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "link", "count", "tokens", "money", "percent", "moment", "status"]
Row = Mapping[str, Any]
FIGURES = {"count", "tokens", "money", "percent"}
PAGE_ROWS = 50


@dataclass(frozen=True)
class Column:
    """A column: the name of its value in each row, and how to show it."""

    name: str
    label: str
    kind: Kind = "text"
    unit: str = ""
    sortable: bool = True
    total: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether its values are numbers, which are aligned to the right."""
        return self.kind in FIGURES

    @property
    def is_shortened(self) -> bool:
        """Whether its values are shown shorter than they are."""
        return self.kind in FIGURES - {"count"}


class Cell(NamedTuple):
    """A value that leads to a page or has more to say; a page shows its `picture` instead of it.

    `is_part`, in the first column: the row is a part of one above, so the page indents it.
    """

    value: Any
    url: str = ""
    title: str = ""
    picture: str = ""
    is_part: bool = False


@dataclass(frozen=True)
class Table:
    """Columns and the rows of one page; values are exact and become short only when rendered.

    A row is a mapping of a column's name to a value or a `Cell`. `sort` is the name of a column,
    with `-` before it for descending order. `next_page` is the value of `after` that continues
    after the last row, and `every_row` all rows of the same query, not only those of this page.
    `named_by` is the column whose values name the rows, where a live page changes them one by one.
    `shown` is how many of them the page has, where it has other rows too, such as sums.
    `file_columns`: the columns of files, where they are not those of the page. `facts`: what files
    say about the table beside its rows, by name. `file_totals`: the totals of files, where they are
    not the sums of the rows. `message`: what of the query could not be read; the page shows another
    table then, and says so, and there is no file.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    totals: Row = field(default_factory=dict)
    sort: str = ""
    count: int = 0
    is_capped: bool = False
    next_page: str = ""
    shown: int | None = None
    every_row: Callable[[], Iterable[Row]] | None = None
    file_columns: Sequence[Column] = ()
    facts: Sequence[tuple[str, object]] = ()
    file_totals: Row = field(default_factory=dict)
    empty: str = "There is nothing to show."
    message: str = ""
    # Before the names of its query parameters, where a page has several tables.
    prefix: str = ""
    named_by: str = ""

    def all_rows(self) -> Iterable[Row]:
        """Every row that the table's query finds, for files."""
        return self.every_row() if self.every_row else self.rows


Builder = Callable[[Any, Mapping[str, str], datetime], Table]


class Registered(NamedTuple):
    """How a table is built, and the permission that its page needs."""

    build: Builder
    permission: str


_registered: dict[str, Registered] = {}


def register(name: str, builder: Builder, *, permission: str) -> None:
    """Add the builder of the table `name`: of a person, query parameters and now."""
    if name in _registered:
        raise ValueError(f"A table {name} is registered already.")
    _registered[name] = Registered(builder, permission)


def registered(name: str) -> Registered:
    """The builder of the table `name` and its permission; a KeyError if there is none."""
    return _registered[name]


def names() -> list[str]:
    """The names of the tables that have a builder."""
    return sorted(_registered)


def is_registered(name: str) -> bool:
    """Whether the table can be exported, since it has a builder."""
    return name in _registered


def value(row: Row, name: str) -> Any:
    """The value in a column, without the link."""
    cell = row.get(name)
    return cell.value if isinstance(cell, Cell) else cell


def sort_parameter(
    query: Mapping[str, str], columns: Iterable[Column], *, default: str, prefix: str = ""
) -> str:
    """The order that the query parameters ask for; the default if no column has that name."""
    wanted = query.get(f"{prefix}sort", default)
    sortable = {column.name for column in columns if column.sortable}
    return wanted if wanted.removeprefix("-") in sortable else default


def paged(table: Table, query: Mapping[str, str], *, page_rows: int = PAGE_ROWS) -> Table:
    """`table`, given with all its rows: sorted, and cut to the page that the query asks for."""
    sort = sort_parameter(query, table.columns, default=table.sort, prefix=table.prefix)
    rows = in_order(table.rows, sort)
    start = offset(query.get(f"{table.prefix}after", ""), len(rows))
    end = start + page_rows
    return replace(
        table,
        rows=rows[start:end],
        sort=sort,
        count=len(rows),
        next_page=str(end) if end < len(rows) else "",
        every_row=lambda: rows,
    )


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
    """The rows by the value of a column; those without one are last in both directions."""
    if not sort:
        return list(rows)
    name = sort.removeprefix("-")
    filled = [row for row in rows if value(row, name) is not None]
    filled.sort(key=lambda row: _sort_key(value(row, name)), reverse=sort.startswith("-"))
    return [*filled, *(row for row in rows if value(row, name) is None)]


def _sort_key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def offset(text: str, count: int) -> int:
    """The number of rows before the page; a number that is none, or too large, is 0."""
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_number and int(text) < count else 0
