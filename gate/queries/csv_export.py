"""The access review as CSV."""

import csv
from typing import Protocol

from common.spreadsheets import inert_text
from gate.queries.access_review import PersonAccess, access_review


class Writable(Protocol):
    """A file, or an answer."""

    def write(self, text: str, /) -> object:
        """Add the text."""


def write_access_review(file: Writable) -> None:
    """A line for each person; lists are separated by semicolons."""
    lines = csv.writer(file)
    lines.writerow(PersonAccess._fields)
    for person in access_review():
        lines.writerow(map(_cell, person))


def _cell(value: object) -> str:
    text = "; ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return inert_text(text)
