"""What people may do for payouts: ask for one, and say what came of it."""

from datetime import datetime
from typing import Any

from dashboard.acts import Act, Outcome
from dashboard.treasury.order_acts import PROPOSE, OrderForm, order_acts
from security.actor import Actor
from treasury import services as treasury
from treasury.models import PAYOUT_APPROVAL_ABOVE, RailAccount


def _pay_out(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount = asked.pop("amount")
    payout = treasury.ask_payout(account.pk, amount, **asked, actor=actor, now=now)
    return payout.approval or f"Payout {payout.pk} is under way."


ASK_PAYOUT = Act(
    name="payout",
    button="Pay out",
    about="The vendor is asked once to send money to the bank account in the settings of the "
    "rail, which two persons have approved. More than "
    f"{PAYOUT_APPROVAL_ABOVE} USD in 24 hours needs a second person.",
    permission=PROPOSE,
    form=OrderForm,
    perform=_pay_out,
    applies=lambda account: (
        account.enabled_at is not None and bool(account.settings.get("bank_account"))
    ),
)
PAYOUT_ACTS = order_acts(
    "Payout",
    confirm=treasury.confirm_payout,
    made="You see in the rail's console that the money was paid out to the bank.",
    deny=treasury.deny_payout,
    not_made="You know that no money left the rail and none will. It can be asked for again.",
    cancel=treasury.cancel_payout,
)
