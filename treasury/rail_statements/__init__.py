"""Statements of rails and banks: bytes in, movements out.

`read` knows every format by its name: those of files, and those that Butler fetches from a vendor.
Errors: UnreadableError; a statement is read whole or not at all.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from common.file_text import UnreadableError
from treasury.rail_statements import (
    camt053,
    circle_pages,
    csv_file,
    mt940_file,
    paypal_pages,
    simulator_pages,
    stripe_pages,
)
from treasury.rail_statements.movements import Asked, Part, StatementFile, assemble

BYTES_MAX = 10_000_000
LINES_MAX = 100_000


class Format(NamedTuple):
    """How a file is read, and what people call it."""

    label: str
    read: Callable[[bytes, Asked], list[Part]]


FORMATS: Mapping[str, Format] = {
    "csv": Format("CSV file", csv_file.read),
    "camt053": Format("camt.053 (ISO 20022, XML)", camt053.read),
    "mt940": Format("MT940 (SWIFT)", mt940_file.read),
}
# No person brings these.
FETCHED: Mapping[str, Format] = {
    "circle-mint": Format("fetched from Circle Mint", circle_pages.read),
    "paypal": Format("fetched from PayPal", paypal_pages.read),
    "simulator": Format("fetched from the simulator", simulator_pages.read),
    "stripe": Format("fetched from Stripe", stripe_pages.read),
}
_ALL = {**FORMATS, **FETCHED}


def read(content: bytes, *, format_name: str, asked: Asked) -> StatementFile:
    """The file as one statement. Errors: UnreadableError."""
    if format_name not in _ALL:
        raise UnreadableError(f"There is no format {format_name}. Use one of {', '.join(FORMATS)}.")
    if len(content) > BYTES_MAX:
        raise UnreadableError("The file is larger than 10 MB. Export fewer days at once.")
    if not content.strip():
        raise UnreadableError("The file is empty.")
    file = assemble(_ALL[format_name].read(content, asked), asked)
    if len(file.movements) > LINES_MAX:
        raise UnreadableError(f"The file has more than {LINES_MAX:,} lines. Export fewer days.")
    return file
