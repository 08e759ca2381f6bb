"""Reference rates of the European Central Bank: eurofxref-daily.xml, eurofxref.csv and
eurofxref-hist.csv. A rate is how much of a currency one euro is."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from common.file_text import UnreadableError, decoded
from treasury.reconciliation import values

BYTES_MAX = 10_000_000
RATE_MAX = Decimal(10**9)
_NOTHING = ("", "N/A")


class DayRate(NamedTuple):
    """How much of `currency` one euro is on a day."""

    day: date
    currency: str
    rate: Decimal


def read(content: bytes) -> list[DayRate]:
    """The rates of a file, which is read whole or not at all. Errors: UnreadableError."""
    if len(content) > BYTES_MAX:
        raise UnreadableError("The file is larger than 10 MB.")
    is_xml = content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    found = list(_xml(content) if is_xml else _csv(content))
    if not found:
        raise UnreadableError("The file has no rates.")
    if len({(each.day, each.currency) for each in found}) < len(found):
        raise UnreadableError("The file has two rates of one currency and day.")
    return found


def _csv(content: bytes) -> Iterator[DayRate]:
    reader = csv.reader(io.StringIO(decoded(content), newline=""), skipinitialspace=True)
    try:
        headings = [each.strip() for each in next(reader, [])]
        if headings[:1] != ["Date"]:
            raise UnreadableError("The file is none of the ECB: its first column is not Date.")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield from _row(row, headings, f"Line {reader.line_num}")
    except csv.Error as error:
        raise UnreadableError(f"Line {reader.line_num} is no CSV: {error}.") from None


def _row(row: list[str], headings: list[str], where: str) -> Iterator[DayRate]:
    if len(row) > len(headings):
        raise UnreadableError(f"{where} has more cells than headings.")
    day = _day(row[0], where)
    for heading, cell in zip(headings[1:], row[1:], strict=False):
        if heading and cell.strip() not in _NOTHING:
            yield DayRate(day, values.currency(heading, where), _rate(cell, where))


def _xml(content: bytes) -> Iterator[DayRate]:
    try:
        root = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise UnreadableError("The file has a document type or entities.") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UnreadableError(f"The file is no XML: {error}.") from None
    for element in root.iter():
        if "time" in element.attrib:
            day = _day(element.get("time"), "A day")
            for each in element:
                where = f"{day}, {each.get('currency')}"
                code = values.currency(each.get("currency", ""), where)
                yield DayRate(day, code, _rate(each.get("rate", ""), where))


def _day(text: str, where: str) -> date:
    """`2026-11-27`, or `27 November 2026` as the daily CSV file has it."""
    try:
        return datetime.strptime(text.strip(), "%d %B %Y").date()  # noqa: DTZ007 - a day
    except ValueError:
        return values.day(text, where)


def _rate(text: str, where: str) -> Decimal:
    found = values.number(text, where)
    if not 0 < found < RATE_MAX or found != round(found, 9) or not round(found, 9):
        raise UnreadableError(f"{where}: {text.strip()[:40]!r} is no rate.")
    return round(found, 9)
