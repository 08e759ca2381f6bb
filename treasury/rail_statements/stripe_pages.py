"""Stripe's balance transactions: gross, fee and net of each, in cents.

What the payer paid is a line with the id that the ledger has; what Stripe took of it is a line for
each of its fees.
"""

from datetime import UTC, datetime
from decimal import Decimal

from common.file_text import UnreadableError
from treasury.rail_statements.fetched import JSON, Moved, Told, unpack
from treasury.rail_statements.movements import (
    Asked,
    Movement,
    MovementKind,
    Part,
    is_fee,
    reference,
    text,
)

_CENT = Decimal("0.01")
# The ledger names these by what the payer agreed to.
_OF_PAYMENT = ("charge", "dispute")


def read(content: bytes, asked: Asked) -> list[Part]:
    """The days of the statement. Errors: UnreadableError."""
    return unpack(content, balance=_balance, moved=_moved)


def _balance(told: Told) -> Decimal:
    """What is available, and what is still pending with Stripe."""
    amounts = [*told.balance["available"], *told.balance.get("pending", [])]
    return sum((_money(each["amount"]) for each in amounts if _is_of(each, told)), Decimal(0))


def _moved(told: Told) -> list[Moved]:
    rows = [each for page in told.pages for each in page["data"] if _is_of(each, told)]
    # The newest come first.
    return [_read(each) for each in reversed(rows)]


def _is_of(each: JSON, told: Told) -> bool:
    return bool(each["currency"].upper() == told.currency)


def _read(each: JSON) -> Moved:
    gross, net = _money(each["amount"]), _money(each["net"])
    if gross - _money(each["fee"]) != net:
        raise UnreadableError(f"{each['id']}: its amount and its fee do not make its net amount.")
    whole = Movement(
        day=datetime.fromtimestamp(each["created"], UTC).date(),
        amount=gross,
        kind=MovementKind.FEE if is_fee(each["type"]) else MovementKind.MOVEMENT,
        reference=reference(_source(each)),
        their_reference=reference(each["id"]),
        description=text(" ".join(filter(None, (each["type"], each.get("description"))))),
    )
    fees = [
        whole._replace(amount=-_money(cents), kind=MovementKind.FEE, description=text(words))
        for cents, words in _fees(each)
        if cents
    ]
    return Moved(whole.day, net, [whole, *fees])


def _fees(each: JSON) -> list[tuple[int, str]]:
    """The fees in cents, with Stripe's words; one, if their details do not make it up."""
    told = [(fee["amount"], fee.get("description") or fee["type"]) for fee in each["fee_details"]]
    return told if sum(cents for cents, _ in told) == each["fee"] else [(each["fee"], "fee")]


def _source(each: JSON) -> str:
    source = each.get("source")
    if not isinstance(source, dict):
        return source or ""
    of = source.get("payment_intent") if source.get("object") in _OF_PAYMENT else None
    return str(of or source["id"])


def _money(cents: int) -> Decimal:
    return Decimal(cents) * _CENT
