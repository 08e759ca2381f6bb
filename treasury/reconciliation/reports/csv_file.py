"""CSV files of any provider, with a mapping of fields to headings."""

import csv
import io
from collections.abc import Mapping

from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind, UnreadableError
from treasury.reconciliation.reports.text import decoded

FIELDS = Line._fields
_NEEDED = ("day",)
_KINDS = {kind.value for kind in LineKind}


def read(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """A line for each row. A field whose heading is not given has its own name as heading.

    The day is needed, and a quantity or an amount. Without a kind, an amount is cost, below zero a
    refund.
    """
    if unknown := set(columns) - set(FIELDS):
        raise UnreadableError(f"There is no field {sorted(unknown)[0]}: {', '.join(FIELDS)}.")
    text = decoded(content)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        headings = [each.strip() for each in next(rows, [])]
        places = _places(headings, columns)
        return [
            _line(row, places, len(headings), f"Line {rows.line_num}")
            for row in rows
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise UnreadableError(f"Line {rows.line_num} is no CSV: {error}.") from None


def _places(headings: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    if len(set(headings)) < len(headings):
        raise UnreadableError("Two columns of the file have the same heading.")
    places = {}
    for name in FIELDS:
        heading = columns.get(name, name)
        if heading in headings:
            places[name] = headings.index(heading)
        elif name in columns or name in _NEEDED:
            raise UnreadableError(
                f"The file has no column {heading}. It has: {', '.join(headings)[:200]}."
            )
    if not {"quantity", "amount"} & places.keys():
        raise UnreadableError("The file needs a column for the amount or for the quantity.")
    return places


def _line(row: list[str], places: dict[str, int], width: int, where: str) -> Line:
    if len(row) != width:
        raise UnreadableError(f"{where} has {len(row)} cells, and the headings have {width}.")
    cells = {name: row[place].strip() for name, place in places.items()}
    amount = values.amount(cells["amount"], where) if cells.get("amount") else None
    quantity = values.quantity(cells["quantity"], where) if cells.get("quantity") else None
    kind = cells.get("kind") or LineKind.COST
    if kind not in _KINDS:
        raise UnreadableError(f"{where}: {kind[:40]!r} is no kind: {', '.join(sorted(_KINDS))}.")
    if amount is not None and amount < 0 and kind != LineKind.TAX:
        kind = LineKind.REFUND
    if amount is None and quantity is None:
        raise UnreadableError(f"{where} has no amount and no quantity.")
    return Line(
        day=values.day(cells["day"], where),
        key=values.name(cells.get("key"), where),
        model=values.name(cells.get("model"), where),
        kind=str(kind),
        quantity=quantity,
        amount=amount,
        currency=values.currency(cells.get("currency") or "USD", where),
        request_id=values.name(cells.get("request_id"), where),
    )
