"""CSV files of banks and rails, with a mapping of fields to headings."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from common.file_text import UnreadableError
from common.mapped_csv import MappedRow, read_mapped
from treasury.rail_statements.movements import (
    Asked,
    Movement,
    MovementKind,
    Part,
    amount,
    is_fee,
    reference,
    text,
)
from treasury.reconciliation import values

FIELDS = (
    *("day", "amount", "net", "balance", "currency", "kind"),
    *("reference", "their_reference", "description"),
)
_NEEDED = ("day", "amount")
_NUMBERS = ("amount", "net", "balance")


class _Row(NamedTuple):
    """A row: its movements, and the balance after it if the file tells it."""

    where: str
    movements: list[Movement]
    balance: Decimal | None
    currency: str

    @property
    def total(self) -> Decimal:
        return sum((each.amount for each in self.movements), Decimal(0))


def read(content: bytes, asked: Asked) -> list[Part]:
    """One part with a movement for each row; where `net` is less than the amount, the rest of the
    row is a fee. Rows with balances must follow from one another, from either end."""
    file = read_mapped(content, asked.columns, fields=FIELDS, needed=_NEEDED, numbers=_NUMBERS)
    rows = [_row(each) for each in file.rows]
    if not rows:
        raise UnreadableError("The file has no lines.")
    currencies = sorted({row.currency for row in rows})
    if len(currencies) > 1:
        raise UnreadableError(
            f"The file has lines in {' and '.join(currencies)}. Export one currency at a time."
        )
    opening = closing = None
    if "balance" in file.names:
        rows = _oldest_first(rows)
        opening, closing = _before(rows[0]), rows[-1].balance
    return [
        Part(
            where="The file",
            account="",
            currency=currencies[0],
            opened_on=None,
            closed_on=None,
            opening=opening,
            closing=closing,
            movements=[each for row in rows for each in row.movements],
        )
    ]


def _row(row: MappedRow) -> _Row:
    where, cells = row
    gross = amount(cells["amount"], where)
    net = amount(cells["net"], where) if cells.get("net") else gross
    whole = Movement(
        day=values.day(cells["day"], where),
        amount=gross,
        kind=MovementKind.FEE if is_fee(cells.get("kind", "")) else MovementKind.MOVEMENT,
        reference=reference(cells.get("reference")),
        their_reference=reference(cells.get("their_reference")),
        description=text(cells.get("description")),
    )
    fee = whole._replace(amount=net - gross, kind=MovementKind.FEE)
    return _Row(
        where,
        [whole, fee] if fee.amount else [whole],
        amount(cells["balance"], where) if cells.get("balance") else None,
        values.currency(cells["currency"], where) if cells.get("currency") else "",
    )


def _before(row: _Row) -> Decimal | None:
    return None if row.balance is None else row.balance - row.total


def _oldest_first(rows: Sequence[_Row]) -> list[_Row]:
    """The rows in the order in which their balances follow. Errors: UnreadableError."""
    wrong = _break(rows)
    if wrong is None:
        return list(rows)
    backwards = list(reversed(rows))
    if _break(backwards) is None:
        return backwards
    raise UnreadableError(
        f"{wrong.where}: its balance does not follow from the line before it. Lines are missing, "
        "doubled or in another order."
    )


def _break(rows: Sequence[_Row]) -> _Row | None:
    for before, row in zip(rows, rows[1:], strict=False):
        if before.balance != _before(row) or row.balance is None:
            return row
    return None if rows[0].balance is not None else rows[0]
