"""What the file of a table has besides its rows: filters, zone, author, moment and exact totals."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.http import QueryDict

from dashboard import tables
from dashboard.tables import Column, Table

# Parameters that choose the file or the page of rows; all others are filters.
_NO_FILTERS = {"after", "sort", "exact"}


@dataclass
class Content:
    """A table on its way into a file. Once its rows are read, it knows their number and sums."""

    table: Table
    query: QueryDict
    zone: ZoneInfo
    url: str
    organisation: str
    author: str
    made_at: datetime
    count: int = 0
    sums: Counter[str] = field(default_factory=Counter)

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the file."""
        return self.table.file_columns or self.table.columns

    @property
    def heads(self) -> list[str]:
        """The names of the columns, each with its unit or its zone."""
        return [_head(column, self.zone) for column in self.columns]

    def rows(self) -> Iterator[list[object]]:
        """Every row, value by value; they are read once."""
        columns = self.columns
        summed = [column.name for column in columns if column.total]
        for row in self.table.all_rows():
            self.count += 1
            for name in summed:
                self.sums[name] += tables.value(row, name) or 0
            yield [tables.value(row, column.name) for column in columns]

    def total(self, column: Column) -> Decimal | int:
        """The total of a column: of the rows that were read, unless the table has its own."""
        own: Decimal | int | None = self.table.file_totals.get(column.name)
        return self.sums[column.name] if own is None else own

    def facts(self) -> Iterator[tuple[str, object]]:
        """What the file says about itself; the totals are those of the rows that were read."""
        for column in self.columns:
            if column.total:
                yield f"Total {_head(column, self.zone)}", self.total(column)
        yield from self.table.facts
        yield "Rows", self.count
        yield "Organisation", self.organisation
        yield "Table", self.table.title
        yield "Filters", "; ".join(_filters(self.query)) or "none"
        yield "Order", _order(self.table)
        yield "Time zone", self.zone.key
        yield "Made by", self.author
        yield "Made at", self.made_at
        yield "Page", self.url


def exact_text(value: object, zone: ZoneInfo) -> str:
    """A value in full: all places of a number, a moment in ISO 8601 with the offset of the zone."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _head(column: Column, zone: ZoneInfo) -> str:
    unit = zone.key if column.kind == "moment" else "%" if column.kind == "percent" else column.unit
    return f"{column.label} ({unit})" if unit else column.label


def _filters(query: QueryDict) -> Iterable[str]:
    return (
        f"{name} = {', '.join(values)}"
        for name, values in query.lists()
        if name not in _NO_FILTERS and not name.endswith(("after", "sort"))
    )


def _order(table: Table) -> str:
    name = table.sort.removeprefix("-")
    label = next((column.label for column in table.columns if column.name == name), "")
    if not label:
        return "as on the page"
    return f"{label}, {'descending' if table.sort.startswith('-') else 'ascending'}"
