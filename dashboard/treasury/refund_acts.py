"""What people may do for refunds: ask for one, and say what came of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard.acts import Act, Outcome
from dashboard.treasury.order_acts import PROPOSE, OrderForm, order_acts
from security.actor import Actor
from treasury import services as treasury
from treasury.models import Collection, Purchase
from treasury.queries import refundable


class RefundForm(OrderForm):
    """Asks how much; all that is left, unless it is changed."""

    def __init__(self, subject: Collection | Purchase, *args: Any, **kwargs: Any) -> None:
        initial = {"amount": f"{refundable(subject):.2f}"}
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(subject, *args, **kwargs)
        self.fields["amount"].help_text = "What goes back."


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


ASK_REFUND = Act(
    name="refund",
    button="Refund",
    about="The rail is asked once to give this money back, wholly or in part. Where the rail makes "
    "no refunds, a person asks the provider. Larger ones need a second person.",
    permission=PROPOSE,
    form=RefundForm,
    applies=lambda paid: refundable(paid) > 0,
    perform=_ask,
)
REFUND_ACTS = order_acts(
    "Refund",
    confirm=treasury.confirm_refund,
    made="You see that the money went back: in the rail's console, on the statement of the bank, "
    "or as a credit note that was paid.",
    deny=treasury.deny_refund,
    not_made="You know that no money went back and none will. It can be asked for again.",
    cancel=treasury.cancel_refund,
)
