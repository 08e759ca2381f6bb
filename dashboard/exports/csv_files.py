"""A table as CSV, line by line: it streams, so memory stays flat however many rows there are.

After the rows come an empty line and what the file says about itself, two cells a line. A file
without these lines was cut off on its way.
"""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from common.spreadsheets import inert_text
from dashboard.exports.content import Content, exact_text

MEDIA_TYPE = "text/csv; charset=utf-8"
# Excel reads UTF-8 only after this mark, which programs do not want.
EXCEL_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_PIECE_CHARACTERS = 64 * 1024


def csv_pieces(content: Content, *, for_excel: bool = False) -> Iterator[bytes]:
    """The file in pieces of some 64 kB; the first one, the head, comes before any row is read."""
    buffer = io.StringIO()
    lines = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(EXCEL_MARK if for_excel else "")
    lines.writerow(map(inert_text, content.heads))
    yield _taken(buffer)
    for row in content.rows():
        lines.writerow(_cell(value, content.zone) for value in row)
        if buffer.tell() > _PIECE_CHARACTERS:
            yield _taken(buffer)
    lines.writerow([])
    lines.writerows((name, _cell(fact, content.zone)) for name, fact in content.facts())
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    """What is in the buffer, which is empty after that."""
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def _cell(value: object, zone: ZoneInfo) -> str:
    text = exact_text(value, zone)
    return text if isinstance(value, int | Decimal) else inert_text(text)
