"""CSV files of any provider, with a mapping of fields to headings."""

from collections.abc import Mapping

from common.file_text import UnreadableError
from common.mapped_csv import MappedRow, read_mapped
from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind

FIELDS = Line._fields
_NEEDED = ("day",)
_NUMBERS = ("amount", "quantity")
_KINDS = {kind.value for kind in LineKind}


def read(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """A line for each row. A field whose heading is not given has its own name as heading.

    The day is needed, and a quantity or an amount. Without a kind, an amount is cost, below zero a
    refund.
    """
    file = read_mapped(content, columns, fields=FIELDS, needed=_NEEDED, numbers=_NUMBERS)
    if not {"quantity", "amount"} & file.names:
        raise UnreadableError("The file needs a column for the amount or for the quantity.")
    return [_line(row) for row in file.rows]


def _line(row: MappedRow) -> Line:
    where, cells = row
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
