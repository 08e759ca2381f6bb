"""A table as CSV, line by line: it streams, so memory stays flat however many rows there are.

After the rows come an empty line and what the file says about itself, two cells a line. A file
without these lines was cut off on its way.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from common.spreadsheets import inert_text
from dashboard.exports.content import Content, exact_text

MEDIA_TYPE = "text/csv; charset=utf-8"
# Excel reads UTF-8 only after this mark, which programs do not want.
EXCEL_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_PIECE_CHARACTERS = 64 * 1024


def csv_pieces(content: Content, *, for_excel: bool = False) -> Iterator[bytes]:
    """The file of a table in pieces; the head comes before any row is read."""
    if for_excel:
        yield EXCEL_MARK.encode()
    yield from pieces(_lines(content))


def pieces(lines: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """Lines as CSV in pieces of some 64 kB; the first line comes before any other is read."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for number, line in enumerate(lines):
        writer.writerow(line)
        if number == 0 or buffer.tell() > _PIECE_CHARACTERS:
            yield _taken(buffer)
    yield _taken(buffer)


def cell(value: object, zone: ZoneInfo) -> str:
    """A value in full, which no spreadsheet takes for a formula."""
    text = exact_text(value, zone)
    return text if isinstance(value, int | Decimal) else inert_text(text)


def _lines(content: Content) -> Iterator[Iterable[str]]:
    yield map(inert_text, content.heads)
    for row in content.rows():
        yield (cell(value, content.zone) for value in row)
    yield []
    for name, fact in content.facts():
        yield name, cell(fact, content.zone)


def _taken(buffer: io.StringIO) -> bytes:
    """What is in the buffer, which is empty after that."""
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece
