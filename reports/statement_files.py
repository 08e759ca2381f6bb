"""The statement of a closed month as a signed CSV file, the same bytes each time.

A head and the lines of the statement, an empty line, what the statement says about itself in two
cells a line, an empty line, and the signature (`security.signed_notes`). Only what is frozen is in
it, and the persons who have signed the month by then.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from common.spreadsheets import inert_text
from reports.models import MonthClose
from reports.queries.statements import Statement
from security import signed_notes

_HEAD = ["Butler statement", "Agent", "Model", "Label", "Calls", "Input tokens", "Output tokens"]
_COLUMNS = ("what", "agent", "model", "label", "calls", "input_tokens", "output_tokens")
_CLOSE = "Close"


def signed_statement(statement: Statement, *, organisation: str, now: datetime) -> str:
    """The file. Refusal: CannotUnseal."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_HEAD, "Cost (USD)"])
    for line in statement.lines:
        writer.writerow(_cells(getattr(line, name) for name in (*_COLUMNS, "cost")))
    buffer.write("\n")
    writer.writerows(_cells(fact) for fact in _facts(statement, organisation))
    return signed_notes.sign(buffer.getvalue(), now=now)


def close_of(text: str) -> MonthClose | None:
    """The close that a signed text is a statement of; None if it is something else."""
    if not text.startswith(f"{_HEAD[0]},"):
        return None
    rows = csv.reader(io.StringIO(text.rpartition("\n\n")[2]))
    facts = {row[0]: row[1] for row in rows if len(row) == 2}
    number = facts.get(_CLOSE, "")
    return MonthClose.objects.filter(pk=number).first() if number.isdecimal() else None


def _facts(statement: Statement, organisation: str) -> Iterator[tuple[str, object]]:
    close = statement.close
    yield "Organisation", organisation
    yield "Cost centre", statement.cost_centre
    yield "Month", close.slug
    yield "Time zone", close.zone
    yield "From", close.starts_at
    yield "Until", close.ends_at
    if close.fiscal_year_began:
        yield "Fiscal year from", f"{close.fiscal_year_began:%Y-%m}"
    yield from statement.sums()
    yield "Note", statement.note.text if statement.note else ""
    yield _CLOSE, close.pk
    yield "Status", close.status
    yield "Locked", f"{close.locked_by} {_text(close.locked_at)}"
    for who, at in (
        (close.first_signed_by, close.first_signed_at),
        (close.second_signed_by, close.second_signed_at),
    ):
        if at:
            yield "Signed", f"{who} {_text(at)}"


def _cells(values: Iterable[object]) -> list[str]:
    return [_text(value) for value in values]


def _text(value: object) -> str:
    """A value in full on one line, which no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return inert_text(" ".join(str(value).split())) if isinstance(value, str) else str(value)
