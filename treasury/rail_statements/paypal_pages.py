"""PayPal's transactions: gross amount and fee of each, which are below zero where they take money.

Those that are pending or denied have moved nothing. A transaction is of the day in UTC on which it
began or, if that is not one of the days that were asked for, of that on which it was changed.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

from common.file_text import UnreadableError
from treasury.rail_statements.fetched import JSON, Moved, Told, unpack
from treasury.rail_statements.movements import (
    Asked,
    Movement,
    MovementKind,
    Part,
    reference,
    text,
)

# Successful, and successful but reversed later by a transaction of its own.
_MOVED = ("S", "V")
# PayPal's group of fees that are not of a payment.
_FEES = "T01"
_MOMENTS = ("transaction_initiation_date", "transaction_updated_date")


def read(content: bytes, asked: Asked) -> list[Part]:
    """The days of the statement. Errors: UnreadableError."""
    return unpack(content, balance=_balance, moved=_moved)


def _balance(told: Told) -> Decimal:
    """At the end of the last day, with what PayPal holds back."""
    own = [each for each in told.balance["balances"] if each["currency"] == told.currency]
    return sum((_money(each["total_balance"], told) for each in own), Decimal(0))


def _moved(told: Told) -> list[Moved]:
    rows = [
        each["transaction_info"]
        for page in told.pages
        for each in page.get("transaction_details") or []
    ]
    moved = [_read(each, told) for each in rows if each["transaction_status"] in _MOVED]
    return sorted(moved, key=lambda each: each.day)


def _read(info: JSON, told: Told) -> Moved:
    gross = _money(info["transaction_amount"], told)
    fee = _money(info["fee_amount"], told) if info.get("fee_amount") else Decimal(0)
    code = info["transaction_event_code"]
    words = (code, info.get("paypal_reference_id"), info.get("custom_field"))
    whole = Movement(
        day=_day(info, told),
        amount=gross,
        kind=MovementKind.FEE if code.startswith(_FEES) else MovementKind.MOVEMENT,
        # Both: the ledger has this one.
        reference=reference(info["transaction_id"]),
        their_reference=reference(info["transaction_id"]),
        description=text(" ".join(filter(None, words))),
    )
    fees = [whole._replace(amount=fee, kind=MovementKind.FEE, description=text(f"{code} fee"))]
    return Moved(whole.day, gross + fee, [whole, *(fees if fee else [])])


def _day(info: JSON, told: Told) -> date:
    for name in _MOMENTS:
        if info.get(name):
            day = datetime.fromisoformat(info[name]).astimezone(UTC).date()
            if told.since <= day <= told.until:
                return day
    raise UnreadableError(f"{info['transaction_id']} is of none of the days.")


def _money(money: JSON, told: Told) -> Decimal:
    if money["currency_code"] != told.currency:
        raise UnreadableError(f"PayPal tells an amount in {money['currency_code']}.")
    return Decimal(money["value"])
