"""What Stripe's objects and errors say about a payment."""

from decimal import Decimal
from typing import Any

from treasury.rails.base import Answer, Outcome
from treasury.rails.http import JSON, Reply
from treasury.rails.stripe.forms import from_minor_units

_INTENTS = {
    "succeeded": Outcome.SETTLED,
    "processing": Outcome.ACCEPTED,
    "requires_capture": Outcome.ACCEPTED,
    "requires_action": Outcome.ACTION,
    "requires_confirmation": Outcome.ACTION,
    # It was confirmed when it was made, and nobody but Stripe's own page can confirm it again.
    "requires_payment_method": Outcome.DECLINED,
    "canceled": Outcome.DECLINED,
}
_REFUNDS = {
    "succeeded": Outcome.SETTLED,
    "pending": Outcome.ACCEPTED,
    "requires_action": Outcome.ACTION,
    "failed": Outcome.DECLINED,
    "canceled": Outcome.DECLINED,
}
_PAYOUTS = {
    "pending": Outcome.ACCEPTED,
    "in_transit": Outcome.ACCEPTED,
    "paid": Outcome.SETTLED,
    "canceled": Outcome.DECLINED,
    # Also after it was paid: the bank has sent it back.
    "failed": Outcome.DECLINED,
}
_DECLINED = 402


def answer_of_error(reply: Reply) -> Answer:
    """What anything but a success says."""
    error = _dict(reply.body.get("error"))
    code = _text(error.get("decline_code") or error.get("code") or error.get("type")) or reply.code
    said: dict[str, Any] = {"code": code, "message": _text(error.get("message"))}
    said["vendor_id"] = _text(_dict(error.get("payment_intent")).get("id"))
    if reply.status == _DECLINED:
        return Answer(outcome=Outcome.DECLINED, **said)
    # The key was used for another request, which may have moved money.
    if reply.is_definite_refusal and error.get("type") != "idempotency_error":
        return Answer(outcome=Outcome.REFUSED, **said)
    return Answer(outcome=Outcome.UNKNOWN, code=code, message=said["message"])


def answer_of_intent(intent: JSON) -> Answer:
    """What a payment intent says."""
    failed = _dict(intent.get("last_payment_error"))
    outcome = _INTENTS.get(intent["status"], Outcome.UNKNOWN)
    next_action = _dict(intent.get("next_action"))
    return Answer(
        outcome=outcome,
        vendor_id=intent["id"],
        settled_id=intent["id"] if outcome == Outcome.SETTLED else "",
        amount=from_minor_units(
            intent["amount_received"] if outcome == Outcome.SETTLED else intent["amount"]
        ),
        code=_text(failed.get("decline_code") or failed.get("code")) or intent["status"],
        message=_text(failed.get("message")),
        action_url=_text(_dict(next_action.get("redirect_to_url")).get("url")),
        is_reversed=outcome == Outcome.SETTLED and _is_reversed(intent),
        refunded=_refunded(intent) if outcome == Outcome.SETTLED else None,
    )


def answer_of_session(session: JSON) -> Answer:
    """What a Checkout session says: its payment intent if the payer has entered a card."""
    intent, total = session.get("payment_intent"), session.get("amount_total")
    paid = session["payment_status"] in ("paid", "no_payment_required")
    if session.get("status") == "expired":
        outcome = Outcome.DECLINED
    elif paid:
        outcome = Outcome.SETTLED
    else:
        is_complete = session.get("status") == "complete"
        outcome = Outcome.ACCEPTED if is_complete else Outcome.ACTION
    intent_id = _text(_dict(intent).get("id")) if isinstance(intent, dict) else _text(intent)
    return Answer(
        outcome=outcome,
        vendor_id=session["id"],
        settled_id=intent_id if paid else "",
        amount=from_minor_units(total) if total is not None else None,
        code=session.get("status") or session["payment_status"],
        action_url=_text(session.get("url")) if outcome == Outcome.ACTION else "",
        is_reversed=paid and isinstance(intent, dict) and _is_reversed(intent),
        refunded=_refunded(intent) if paid and isinstance(intent, dict) else None,
    )


def answer_of_refund(refund: JSON) -> Answer:
    """What a refund says."""
    return Answer(
        outcome=_REFUNDS.get(refund.get("status") or "", Outcome.UNKNOWN),
        vendor_id=refund["id"],
        amount=from_minor_units(refund["amount"]),
        code=_text(refund.get("failure_reason") or refund.get("status")),
    )


def answer_of_payout(payout: JSON) -> Answer:
    """What a payout says."""
    return Answer(
        outcome=_PAYOUTS.get(payout["status"], Outcome.UNKNOWN),
        vendor_id=payout["id"],
        amount=from_minor_units(payout["amount"]),
        code=_text(payout.get("failure_code") or payout["status"]),
        message=_text(payout.get("failure_message")),
    )


def _is_reversed(intent: JSON) -> bool:
    """Whether the payer's bank took it back."""
    return any(each.get("disputed") for each in _charges(intent))


def _refunded(intent: JSON) -> Decimal | None:
    """How much of it was given back, with what is under way; None if Stripe does not tell."""
    cents = [each.get("amount_refunded") for each in _charges(intent)]
    told = [each for each in cents if each is not None]
    return from_minor_units(sum(told)) if told else None


def _charges(intent: JSON) -> list[JSON]:
    charge = intent.get("latest_charge")
    if isinstance(charge, dict):
        return [charge]
    charges: list[JSON] = _dict(intent.get("charges")).get("data", [])
    return charges


def _dict(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
