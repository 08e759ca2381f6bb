"""What tells payouts apart: they go from a rail to the bank account in its settings."""

from datetime import datetime

from django.db import connection

from security.actor import Actor
from treasury.alert_kinds import PAYOUT_WAITS
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import Account, Payout, TransferKind
from treasury.rail_list import payout_rail, payout_rail_to_read
from treasury.rails.base import Order, PayoutRail
from treasury.refusals import PayoutEnded, PayoutNotFound, WrongPayout
from treasury.services.order_kind import OrderKind, RailCalls
from treasury.services.own_transfers import transit_account
from treasury.services.transfer import Entry

_OTHER_ACCOUNT = "The bank account of the rail was changed after this was asked for."


class _Payouts(OrderKind[Payout]):
    """See `OrderKind`."""

    noun, moved, named_by = "payout", "was paid out", "the vendor"
    model, action, waits = Payout, Action.PAYOUT_MOVE, PAYOUT_WAITS
    job = Actor.job("payouts")
    ended, missing, wrong = PayoutEnded, PayoutNotFound, WrongPayout

    def lock(self, payment_id: int, *statuses: str) -> Payout:
        rows = Payout.objects.select_for_update(of=("self",), no_key=True)
        payout = rows.select_related("pending", "transfer", "approval", "rail_account")
        found = payout.filter(pk=payment_id).first()
        if found is None:
            raise PayoutNotFound(payout_id=payment_id)
        if statuses and found.status not in statuses:
            raise PayoutEnded(payout_id=payment_id, status=found.status)
        return found

    def rail(self, order: Payout) -> str:
        return order.rail_account_id

    def calls_to_send(self, order: Payout) -> RailCalls[Payout]:
        rail = payout_rail(order.rail_account_id)
        is_other = rail.payout_destination != order.destination
        return _calls(rail, problem=_OTHER_ACCOUNT if is_other else "")

    def calls_to_read(self, order: Payout) -> RailCalls[Payout]:
        return _calls(payout_rail_to_read(order.rail_account_id))

    def entries(self, order: Payout, *, now: datetime) -> list[Entry]:
        rail = Account.objects.get(name=order.rail_account.address)
        entry = Entry(
            debit=transit_account(rail, actor=self.job, now=now).name,
            credit=rail.name,
            amount=order.amount,
            kind=TransferKind.OWN,
            effective_on=ledger_day(now),
            reference=order.address,
            idempotency_key=f"payout {order.key}",
        )
        return [entry]

    def related(self, order: Payout) -> list[str]:
        return [f"rail:{order.rail_account_id}"]

    def terms(self, order: Payout) -> dict[str, object]:
        return {**super().terms(order), "destination": order.destination}


def _calls(rail: PayoutRail, *, problem: str = "") -> RailCalls[Payout]:
    def body(payout: Payout) -> str:
        order = Order(
            purchase=str(payout.key),
            amount=round(payout.amount, rail.scale),
            currency=payout.currency,
            payee=payout.destination,
        )
        return rail.payout_body(order)

    return RailCalls(
        body=body,
        send=rail.payout,
        find=rail.find_payout,
        key_life=rail.key_life,
        problem=problem,
    )


def lock_payouts(slug: str) -> None:
    """Keep others from asking for payouts of a rail until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"payout {slug}"])


PAYOUTS = _Payouts()
