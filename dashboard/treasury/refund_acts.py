"""What people may do for refunds: ask for one, and say what came of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from security.actor import Actor
from treasury import services as treasury
from treasury.models import Collection, Purchase, Refund, RefundStatus
from treasury.queries import refundable

_PROPOSE = "treasury.propose_purchase"
_NOT_SENT = (RefundStatus.PROPOSED, RefundStatus.APPROVED)


class RefundForm(ActForm):
    """Asks how much; all that is left, unless it is changed."""

    amount = forms.DecimalField(
        min_value=0, max_digits=20, decimal_places=2, help_text="What goes back."
    )
    # Sent twice, it goes back once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    field_order = ("amount", "reason")

    def __init__(self, subject: Collection | Purchase, *args: Any, **kwargs: Any) -> None:
        initial = {"amount": f"{refundable(subject):.2f}"}
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(subject, *args, **kwargs)


class ReferenceForm(NoQuestions):
    """Asks how it is named."""

    reference = forms.CharField(
        max_length=200, help_text="How the rail, the bank or the provider's credit note names it."
    )


def _ask(
    paid: Collection | Purchase, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    amount: Decimal = asked.pop("amount")
    is_purchase = isinstance(paid, Purchase)
    refund = treasury.ask_refund(
        amount,
        collection_id=None if is_purchase else paid.pk,
        purchase_id=paid.pk if is_purchase else None,
        **asked,
        actor=actor,
        now=now,
    )
    return refund.approval or f"Refund {refund.pk} is under way."


def _confirm(refund: Refund, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.confirm_refund(refund.pk, reference=asked["reference"], actor=actor, now=now)
    return f"Refund {refund.pk} is booked."


def _deny(refund: Refund, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.deny_refund(refund.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Refund {refund.pk} was not made."


def _cancel(refund: Refund, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.cancel_refund(refund.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Refund {refund.pk} is cancelled."


ASK_REFUND = Act(
    name="refund",
    button="Refund",
    about="The rail is asked once to give this money back, wholly or in part. Where the rail makes "
    "no refunds, a person asks the provider. Larger ones need a second person.",
    permission=_PROPOSE,
    form=RefundForm,
    applies=lambda paid: refundable(paid) > 0,
    perform=_ask,
)
REFUND_ACTS = [
    Act(
        name="confirm",
        button="It was made",
        about="You see that the money went back: in the rail's console, on the statement of the "
        "bank, or as a credit note that was paid.",
        permission=_PROPOSE,
        form=ReferenceForm,
        applies=lambda refund: refund.status == RefundStatus.NEEDS_PERSON,
        perform=_confirm,
    ),
    Act(
        name="deny",
        button="It was not made",
        about="You know that no money went back and none will. It can be asked for again.",
        permission=_PROPOSE,
        applies=lambda refund: refund.status == RefundStatus.NEEDS_PERSON,
        perform=_deny,
    ),
    Act(
        name="cancel",
        button="Cancel",
        about="Nothing was sent yet, and nothing will be.",
        permission=_PROPOSE,
        applies=lambda refund: refund.status in _NOT_SENT,
        perform=_cancel,
    ),
]
