"""What people may do for payouts: ask for one, and say what came of it."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from dashboard.treasury.refund_acts import ReferenceForm
from security.actor import Actor
from treasury import services as treasury
from treasury.models import PAYOUT_APPROVAL_ABOVE, Payout, PayoutStatus, RailAccount

_PROPOSE = "treasury.propose_purchase"


class PayoutForm(ActForm):
    """Asks how much goes to the bank."""

    amount = forms.DecimalField(
        min_value=0, max_digits=20, decimal_places=2, help_text="What goes to the bank account."
    )
    # Sent twice, it goes once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    field_order = ("amount", "reason")


def _pay_out(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount = asked.pop("amount")
    payout = treasury.ask_payout(account.pk, amount, **asked, actor=actor, now=now)
    return payout.approval or f"Payout {payout.pk} is under way."


def _confirm_payout(row: Payout, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.confirm_payout(row.pk, reference=asked["reference"], actor=actor, now=now)
    return f"Payout {row.pk} is booked."


def _deny_payout(row: Payout, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.deny_payout(row.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Payout {row.pk} was not made."


def _cancel_payout(row: Payout, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.cancel_payout(row.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Payout {row.pk} is cancelled."


ASK_PAYOUT = Act(
    name="payout",
    button="Pay out",
    about="The vendor is asked once to send money to the bank account in the settings of the "
    "rail, which two persons have approved. More than "
    f"{PAYOUT_APPROVAL_ABOVE} USD in 24 hours needs a second person.",
    permission=_PROPOSE,
    form=PayoutForm,
    perform=_pay_out,
    applies=lambda account: (
        account.enabled_at is not None and bool(account.settings.get("bank_account"))
    ),
)
PAYOUT_ACTS = [
    Act(
        name="confirm",
        button="It was made",
        about="You see in the rail's console that the money was paid out to the bank.",
        permission=_PROPOSE,
        form=ReferenceForm,
        applies=lambda row: row.status == PayoutStatus.NEEDS_PERSON,
        perform=_confirm_payout,
    ),
    Act(
        name="deny",
        button="It was not made",
        about="You know that no money left the rail and none will. It can be asked for again.",
        permission=_PROPOSE,
        applies=lambda row: row.status == PayoutStatus.NEEDS_PERSON,
        perform=_deny_payout,
    ),
    Act(
        name="cancel",
        button="Cancel",
        about="Nothing was sent yet, and nothing will be.",
        permission=_PROPOSE,
        applies=lambda row: row.status in (PayoutStatus.PROPOSED, PayoutStatus.APPROVED),
        perform=_cancel_payout,
    ),
]
