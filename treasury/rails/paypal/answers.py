"""What PayPal's orders, captures, refunds and errors say about a payment."""

from decimal import Decimal
from typing import Any

from treasury.rails.base import Answer, Outcome
from treasury.rails.http import JSON, Reply

_ORDERS = {
    "CREATED": Outcome.ACTION,
    "SAVED": Outcome.ACTION,
    "APPROVED": Outcome.ACTION,
    "PAYER_ACTION_REQUIRED": Outcome.ACTION,
    "VOIDED": Outcome.DECLINED,
    # Only with a capture, see below.
    "COMPLETED": Outcome.UNKNOWN,
}
_CAPTURES = {
    "COMPLETED": Outcome.SETTLED,
    "PARTIALLY_REFUNDED": Outcome.SETTLED,
    "REFUNDED": Outcome.SETTLED,
    "PENDING": Outcome.ACCEPTED,
    "DECLINED": Outcome.DECLINED,
    "FAILED": Outcome.DECLINED,
}
_REFUNDS = {
    "COMPLETED": Outcome.SETTLED,
    "PENDING": Outcome.ACCEPTED,
    "FAILED": Outcome.DECLINED,
    "CANCELLED": Outcome.DECLINED,
}
_GIVEN_BACK = ("COMPLETED", "PENDING")
_PAGES = ("payer-action", "approve")
_DECLINED = (
    "COMPLIANCE_VIOLATION",
    "DECLINED_DUE_TO_RELATED_TXN",
    "INSTRUMENT_DECLINED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_CANNOT_PAY",
    "TRANSACTION_LIMIT_EXCEEDED",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
    "TRANSACTION_REFUSED",
)
# The payer has to do something on PayPal's page first, and then it can be captured.
_PAYER_FIRST = (
    "ORDER_NOT_APPROVED",
    "PAYER_ACTION_REQUIRED",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
)
# They say that there is another request of this order, and nothing of what came of it.
_OTHER_REQUEST = (
    "DUPLICATE_REQUEST_ID",
    "ORDER_COMPLETION_IN_PROGRESS",
    "PREVIOUS_REQUEST_IN_PROGRESS",
    "ORDER_ALREADY_CAPTURED",
    "ORDER_ALREADY_COMPLETED",
)


def answer_of_error(reply: Reply) -> Answer:
    """What anything but a success says."""
    details = reply.body.get("details")
    first = details[0] if isinstance(details, list) and details else {}
    code = _text(first, "issue") or _text(reply.body, "name") or _text(reply.body, "error")
    message = _text(first, "description") or _text(reply.body, "message")
    message = message or _text(reply.body, "error_description")
    outcome = Outcome.UNKNOWN
    if code in _DECLINED:
        outcome = Outcome.DECLINED
    elif code in _PAYER_FIRST:
        outcome = Outcome.ACTION
    elif reply.is_definite_refusal and code not in _OTHER_REQUEST:
        outcome = Outcome.REFUSED
    return Answer(outcome=outcome, code=code or reply.code, message=message)


def answer_of_order(order: JSON) -> Answer:
    """What an order says: its capture, if there is one."""
    units = order.get("purchase_units") or [{}]
    payments = units[0].get("payments") or {}
    if captures := payments.get("captures") or []:
        return _answer_of_capture(order["id"], captures[-1], payments.get("refunds"))
    status = order["status"]
    pages = [each["href"] for each in order.get("links") or [] if each.get("rel") in _PAGES]
    outcome = _ORDERS.get(status, Outcome.UNKNOWN)
    return Answer(
        outcome=outcome,
        vendor_id=order["id"],
        amount=_amount(units[0].get("amount")),
        code=status.lower(),
        action_url=pages[0] if pages and outcome == Outcome.ACTION else "",
        is_approved=status == "APPROVED",
    )


def answer_of_refund(refund: JSON) -> Answer:
    """What a refund says."""
    return Answer(
        outcome=_REFUNDS.get(refund.get("status", ""), Outcome.UNKNOWN),
        vendor_id=refund["id"],
        amount=_amount(refund.get("amount")),
        code=refund.get("status", "").lower(),
    )


def _answer_of_capture(order_id: str, capture: JSON, refunds: list[JSON] | None) -> Answer:
    outcome = _CAPTURES.get(capture["status"], Outcome.UNKNOWN)
    why = (capture.get("status_details") or {}).get("reason", "")
    return Answer(
        outcome=outcome,
        vendor_id=order_id,
        settled_id=capture["id"] if outcome == Outcome.SETTLED else "",
        amount=_amount(capture.get("amount")),
        code=(why or capture["status"]).lower(),
        is_reversed=capture["status"] == "REFUNDED",
        fee=_fee(capture),
        refunded=_refunded(refunds) if refunds is not None else None,
    )


def _refunded(refunds: list[JSON]) -> Decimal:
    """How much of the order was given back, with what is under way."""
    counted = [each for each in refunds if each.get("status") in _GIVEN_BACK]
    return sum((_amount(each.get("amount")) or Decimal(0) for each in counted), Decimal(0))


def _fee(capture: JSON) -> Decimal | None:
    """What PayPal kept of the capture, which it tells once it is complete."""
    fee = (capture.get("seller_receivable_breakdown") or {}).get("paypal_fee")
    is_own = fee and fee.get("currency_code") == (capture.get("amount") or {}).get("currency_code")
    return _amount(fee) if is_own else None


def _amount(money: Any) -> Decimal | None:
    return Decimal(money["value"]) if money else None


def _text(whole: JSON, name: str) -> str:
    found = whole.get(name)
    return found if isinstance(found, str) else ""
