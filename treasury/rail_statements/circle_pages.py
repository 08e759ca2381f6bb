"""Circle Mint's transfers, payouts and deposits: amount, fees and what a bank has returned.

A movement is of the day in UTC on which it began. What is pending counts where it leaves, since
Circle has taken it; what has failed has moved nothing.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from treasury.rail_statements.fetched import JSON, Moved, Told, unpack
from treasury.rail_statements.movements import (
    Asked,
    Movement,
    MovementKind,
    Part,
    reference,
    text,
)

_KINDS = {"transfers": "transfer", "payouts": "payout", "deposits": "deposit"}
_WALLET = "wallet"


def read(content: bytes, asked: Asked) -> list[Part]:
    """The days of the statement. Errors: UnreadableError."""
    return unpack(content, balance=_balance, moved=_moved)


def _balance(told: Told) -> Decimal:
    available = told.balance["data"]["available"]
    return sum((_amount(each) for each in available if _is_of(each, told)), Decimal(0))


def _moved(told: Told) -> list[Moved]:
    rows = [
        moved
        for page in told.pages
        for each in page["answer"]["data"]
        for moved in _movements(each, _KINDS[page["of"]], told)
    ]
    return sorted(rows, key=lambda each: each.day)


def _movements(each: JSON, kind: str, told: Told) -> Iterator[Moved]:
    if not _is_of(each["amount"], told):
        return
    is_in = kind == "deposit" or kind == "transfer" and each["destination"]["type"] == _WALLET
    returned = each.get("return") or {}
    if each["status"] == "complete" or returned or not is_in and each["status"] == "pending":
        amount = _amount(each["amount"])
        fees = _fees(each.get("fee") or each.get("fees"), told)
        words = f"{kind} {each.get('trackingRef') or ''}"
        yield _moved_of(each, words, amount if is_in else -amount, fees, name=each["id"])
    if returned.get("status") == "complete":
        fees = _fees(returned.get("fees"), told)
        amount = _amount(returned["amount"])
        words = f"return of payout {returned.get('reason') or ''}"
        yield _moved_of(returned, words, amount, fees, name=each["id"])


def _moved_of(each: JSON, words: str, amount: Decimal, fees: Decimal, *, name: str) -> Moved:
    whole = Movement(
        day=_day(each),
        amount=amount,
        kind=MovementKind.MOVEMENT,
        # The ledger has the id of the payment, also of what came back of it.
        reference=reference(name),
        their_reference=reference(each["id"]),
        description=text(words),
    )
    fee = whole._replace(amount=-fees, kind=MovementKind.FEE, description="fee")
    return Moved(whole.day, amount - fees, [whole, *([fee] if fees else [])])


def _fees(fees: Any, told: Told) -> Decimal:
    """What Circle took: a transfer has a list of fees, the others one."""
    listed = fees if isinstance(fees, list) else [fees] if fees else []
    return sum((_amount(each) for each in listed if _is_of(each, told)), Decimal(0))


def _is_of(money: JSON, told: Told) -> bool:
    return bool(money["currency"] == told.currency)


def _amount(money: JSON) -> Decimal:
    return Decimal(money["amount"])


def _day(each: JSON) -> date:
    return datetime.fromisoformat(each["createDate"]).astimezone(UTC).date()
