"""What Circle Mint's answers say about a payment."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from treasury.rails.base import Answer, Outcome
from treasury.rails.http import JSON, Reply

_STATUSES = {
    "pending": Outcome.ACCEPTED,
    "complete": Outcome.SETTLED,
    "failed": Outcome.DECLINED,
}
_RETURNED = "transaction_returned"
# Circle's word for a fault that passes: nothing is known.
_TRANSIENT = -1


def answer_of_payment(reply: Reply) -> Answer:
    """What a transfer or payout says. What the bank returns had left before, so it is reversed."""
    if not reply.is_ok:
        return answer_of_error(reply)
    try:
        payment: JSON = reply.body["data"]
        is_returned = payment.get("errorCode") == _RETURNED
        outcome = _STATUSES.get(payment["status"], Outcome.UNKNOWN)
        return Answer(
            outcome=Outcome.SETTLED if is_returned else outcome,
            vendor_id=text(payment["id"]),
            amount=Decimal(payment["amount"]["amount"]),
            code=text(payment.get("errorCode")) or text(payment["status"]),
            is_reversed=is_returned,
            fee=_fee(payment.get("fees"), payment["amount"].get("currency")),
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        return Answer(outcome=Outcome.UNKNOWN, code="answer_not_understood")


def answer_of_payout(reply: Reply) -> Answer:
    """What a payout to one's own bank says. What that bank returns has failed, also after it was
    complete."""
    answer = answer_of_payment(reply)
    return replace(answer, outcome=Outcome.DECLINED) if answer.is_reversed else answer


def _fee(fees: Any, currency: Any) -> Decimal | None:
    """What Circle took: a transfer has a list of fees, and a payout has one. Those in another
    currency are not of the same account."""
    listed = fees if isinstance(fees, list) else [fees] if isinstance(fees, dict) else []
    own = [Decimal(each["amount"]) for each in listed if each.get("currency") == currency]
    return sum(own, Decimal(0)) if own else None


def answer_of_error(reply: Reply) -> Answer:
    """What anything but a success says."""
    code, message = reply.body.get("code"), text(reply.body.get("message"))
    said = str(code) if isinstance(code, int) else reply.code
    if reply.is_definite_refusal and code != _TRANSIENT:
        return Answer(outcome=Outcome.REFUSED, code=said, message=message)
    return Answer(outcome=Outcome.UNKNOWN, code=said, message=message)


def text(value: Any) -> str:
    """The value if it is a text; empty otherwise."""
    return value[:200] if isinstance(value, str) else ""
