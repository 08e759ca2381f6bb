"""CSV files with a mapping of fields to headings, as providers, banks and rails write them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from treasury.reconciliation.lines import UnreadableError
from treasury.reconciliation.reports.text import decoded

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


def read_mapped(
    content: bytes, columns: Mapping[str, str], *, fields: Sequence[str], needed: Sequence[str]
) -> MappedCsv:
    """The rows of a file. A field whose heading `columns` does not give has its own name there.

    Cells are separated by commas, semicolons or tabs. Errors: UnreadableError, also while rows are
    read.
    """
    if unknown := set(columns) - set(fields):
        raise UnreadableError(f"There is no field {sorted(unknown)[0]}: {', '.join(fields)}.")
    text = decoded(content)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
    headings = [each.strip() for each in next(_read(reader), [])]
    places = _places(headings, columns, fields=fields, needed=needed)
    return MappedCsv(frozenset(places), _rows(reader, places, width=len(headings)))


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
