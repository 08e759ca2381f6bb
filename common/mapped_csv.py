"""CSV files with a mapping of fields to headings, as providers, banks and rails write them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from common.file_text import UnreadableError, decoded
from common.number_forms import MARKS, DecimalMark, decimal_mark, plain

_DELIMITERS = (",", ";", "\t")


class _Reader(Protocol):
    """What `csv.reader` returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class MappedRow(NamedTuple):
    """A row: where it is, for messages, and its cells by field."""

    where: str
    cells: Mapping[str, str]


class MappedCsv(NamedTuple):
    """A file: the fields that it has a column for, and its rows."""

    names: frozenset[str]
    rows: Iterator[MappedRow]


# In the mapping, it says which mark separates decimals.
DECIMAL = "decimal"


def read_mapped(
    content: bytes,
    columns: Mapping[str, str],
    *,
    fields: Sequence[str],
    needed: Sequence[str],
    numbers: Sequence[str],
) -> MappedCsv:
    """The rows of a file. A field whose heading `columns` does not give has its own name there.

    Cells are separated by commas, semicolons or tabs. The fields `numbers` may have thousands,
    decimal commas, and minus signs behind or brackets around them: they are handed out plain.
    Errors: UnreadableError, also while rows are read, and if the decimal mark cannot be told.
    """
    mark = _asked_mark(columns.get(DECIMAL, ""))
    columns = {name: heading for name, heading in columns.items() if name != DECIMAL}
    if unknown := set(columns) - set(fields):
        raise UnreadableError(f"There is no field {sorted(unknown)[0]}: {', '.join(fields)}.")
    text = decoded(content)
    found, reader = _opened(text)
    places = _places(found, columns, fields=fields, needed=needed)
    numbered = [name for name in numbers if name in places]
    width = len(found)
    rows = _rows(_opened(text)[1], places, width=width)
    mark = mark or decimal_mark(row.cells[name] for row in rows for name in numbered)
    return MappedCsv(frozenset(places), _plain(_rows(reader, places, width=width), numbered, mark))


def headings(content: bytes) -> list[str]:
    """The headings of a file. Errors: UnreadableError."""
    return _opened(decoded(content))[0]


def _asked_mark(given: str) -> DecimalMark | None:
    if given and given not in MARKS:
        raise UnreadableError(f"decimal is point or comma, not {given[:20]!r}.")
    return MARKS.get(given)


def _opened(text: str) -> tuple[list[str], _Reader]:
    """The headings, and the reader of what comes after them."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
    return [each.strip() for each in next(_read(reader), [])], reader


def _number(cell: str, mark: DecimalMark | None, where: str) -> str:
    found = plain(cell, mark)
    if found is None and mark == ",":
        # With a point it would be read as another number.
        raise UnreadableError(f"{where}: {cell[:40]!r} is not a number with a decimal comma.")
    return cell if found is None else found


def _plain(
    rows: Iterator[MappedRow], numbered: Sequence[str], mark: DecimalMark | None
) -> Iterator[MappedRow]:
    for where, cells in rows:
        numbers = {name: _number(cells[name], mark, where) for name in numbered if cells[name]}
        yield MappedRow(where, {**cells, **numbers})


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _read(reader: _Reader) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableError(f"Line {reader.line_num} is no CSV: {error}.") from None


def _rows(reader: _Reader, places: Mapping[str, int], *, width: int) -> Iterator[MappedRow]:
    for row in _read(reader):
        if not any(cell.strip() for cell in row):
            continue
        where = f"Line {reader.line_num}"
        if len(row) != width:
            raise UnreadableError(f"{where} has {len(row)} cells, and the headings have {width}.")
        yield MappedRow(where, {name: row[place].strip() for name, place in places.items()})


def _places(
    headings: list[str],
    columns: Mapping[str, str],
    *,
    fields: Sequence[str],
    needed: Sequence[str],
) -> dict[str, int]:
    if len(set(headings)) < len(headings):
        raise UnreadableError("Two columns of the file have the same heading.")
    places = {}
    for name in fields:
        heading = columns.get(name, name)
        if heading in headings:
            places[name] = headings.index(heading)
        elif name in columns or name in needed:
            raise UnreadableError(
                f"The file has no column {heading}. It has: {', '.join(headings)[:200]}."
            )
    return places
