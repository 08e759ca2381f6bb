"""The simulator's statement: every movement since it began."""

from datetime import UTC, datetime
from decimal import Decimal

from treasury.rail_statements.fetched import JSON, Moved, Told, unpack
from treasury.rail_statements.movements import Asked, Movement, MovementKind, Part, reference, text


def read(content: bytes, asked: Asked) -> list[Part]:
    """The days of the statement. Errors: UnreadableError."""
    return unpack(content, balance=_balance, moved=_moved)


def _balance(told: Told) -> Decimal:
    return Decimal(told.balance["available"])


def _moved(told: Told) -> list[Moved]:
    return [_read(each) for page in told.pages for each in page["lines"]]


def _read(line: JSON) -> Moved:
    amount = Decimal(line["amount"])
    movement = Movement(
        day=datetime.fromtimestamp(float(line["at"]), UTC).date(),
        amount=amount,
        kind=MovementKind.MOVEMENT,
        reference=reference(line["payment"]),
        their_reference=f"line {line['number']}",
        description=text(line["kind"]),
    )
    return Moved(movement.day, amount, [movement])
