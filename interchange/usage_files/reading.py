"""Read a file of usage: its rows, and what is wrong with some."""

import sys
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common.file_text import UnreadableError
from common.mapped_csv import DECIMAL, MappedRow, headings, read_mapped
from interchange.usage_files.columns import COUNTS, FIELDS, NUMBERS, columns_of
from interchange.usage_files.dates import ORDER, Dates, When, dates_of
from keys import services as keys
from keys.refusals import WrongValue
from security import redact

# A row takes some 3 kB of memory. Files can be split anywhere: each row is imported once.
BYTES_MAX = 25 * 1024**2
_PLACES = Decimal("1e-9")
_COST_MAX = Decimal(10**9)
_LABEL_MAX, _NAME_MAX = 100, 200


class RowNames(NamedTuple):
    """What the file calls things, blank where it does not say."""

    id: str
    key_id: str
    provider: str
    model: str
    agent: str
    cost_centre: str
    label: str


class UsageRow(NamedTuple):
    """Usage of one call, or of all calls of a day that the file adds up.

    `where` is for people, such as `Line 7`. `cost` is in USD; None: the file does not say.
    """

    where: str
    when: When
    names: RowNames
    usage: keys.Usage
    cost: Decimal | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used."""
        return not (self.usage.tokens or self.cost)


class Wrong(NamedTuple):
    """A row that cannot be imported, and why."""

    where: str
    problem: str


class UsageFile(NamedTuple):
    """The rows of a file in their order, and the headings of the columns that are not read."""

    rows: list[UsageRow]
    wrong: list[Wrong]
    unread: list[str]


def read(content: bytes, *, columns: Mapping[str, str], zone: ZoneInfo) -> UsageFile:
    """The rows of a CSV file.

    `columns`: the heading of a field that the file calls otherwise, and `decimal` (point or comma)
    and `dates` (day-first or month-first) where the file does not tell them itself. `zone` is that
    of its days. Errors: UnreadableError.
    """
    if len(content) > BYTES_MAX:
        raise UnreadableError(
            f"The file is larger than {BYTES_MAX // 1024**2} MB. Split it, such as by months."
        )
    asked = {name: heading for name, heading in columns.items() if name not in (DECIMAL, ORDER)}
    found = columns_of(headings(content), asked)
    marks = {DECIMAL: columns[DECIMAL]} if DECIMAL in columns else {}
    file = read_mapped(
        content, {**found, **marks}, fields=FIELDS, needed=("date",), numbers=NUMBERS
    )
    mapped = list(file.rows)
    dates = dates_of((row.cells["date"] for row in mapped), zone=zone, asked=columns.get(ORDER, ""))
    rows, wrong = [], []
    for row in mapped:
        try:
            rows.append(_row(row, dates))
        except (UnreadableError, WrongValue) as error:
            # A secret may be in any cell.
            wrong.append(Wrong(row.where, redact.redact(str(error))))
    unread = [heading for heading in headings(content) if heading not in found.values()]
    return UsageFile(rows, wrong, [heading for heading in unread if heading])


def _row(row: MappedRow, dates: Dates) -> UsageRow:
    cells = row.cells
    currency = cells.get("currency", "").upper()
    if currency not in ("", "USD", "$", "US$"):
        raise UnreadableError(f"The cost is in {currency[:10]}. Convert it: the books are in USD.")
    return UsageRow(
        row.where,
        dates.when(cells["date"]),
        RowNames(*_names(cells)),
        _usage({name: _count(cells[name], name) for name in COUNTS if cells.get(name)}),
        _cost(cells.get("cost", "")),
    )


def _names(cells: Mapping[str, str]) -> Iterator[str]:
    for field in RowNames._fields:
        text = cells.get(field, "")
        most = _LABEL_MAX if field == "label" else _NAME_MAX
        if len(text) > most or not text.isprintable():
            raise UnreadableError(f"Its {field} is longer than {most} characters, or unprintable.")
        if field in ("model", "label") and redact.redact(text) != text:
            raise UnreadableError(f"Its {field} looks like a secret.")
        # Few names in many rows.
        yield sys.intern(text)


def _usage(counts: Mapping[str, int]) -> keys.Usage:
    cached, written = counts.get("cached_tokens", 0), counts.get("cache_write_tokens", 0)
    uncached = counts.get("uncached_tokens")
    usage = keys.Usage(
        input_tokens=counts.get("input_tokens", 0)
        if uncached is None
        else uncached + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=counts.get("output_tokens", 0),
        reasoning_tokens=counts.get("reasoning_tokens", 0),
        # A total of 0 is a column that the other system did not fill.
        total=counts.get("tokens") or None,
    )
    try:
        usage.check()
    except WrongValue as refusal:
        hint = ""
        if refusal.field.startswith("cache"):
            hint = " If its input is without the cached tokens, it is uncached_tokens=HEADING."
        raise UnreadableError(f"{refusal.detail}{hint}") from None
    return usage


def _count(cell: str, name: str) -> int:
    number = _number(cell, name)
    if number != number.to_integral_value():
        raise UnreadableError(f"{name} must be a whole number, not {cell[:40]}.")
    return int(number)


def _cost(cell: str) -> Decimal | None:
    if not cell:
        return None
    cost = _number(cell.strip(" $"), "cost")
    if not 0 <= cost <= _COST_MAX:
        raise UnreadableError(
            f"A cost of {cell[:40]} is not from 0 to {_COST_MAX:,} USD. Credit that a provider "
            "gives back is no usage."
        )
    return cost.quantize(_PLACES, ROUND_HALF_UP)


def _number(cell: str, name: str) -> Decimal:
    try:
        number = Decimal(cell)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UnreadableError(f"{cell[:40]!r} is no number, as {name}.")
    return number
