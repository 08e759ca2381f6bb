"""What tells refunds apart: they go back the way that a collection or a purchase came."""

from datetime import datetime
from uuid import UUID

from security.actor import Actor
from treasury.alert_kinds import REFUND_WAITS
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import Collection, Purchase, PurchaseMethod, Refund, TransferKind
from treasury.rail_list import rail_named, rail_to_read
from treasury.rails.base import Order, Rail, RefundingRail
from treasury.refusals import RefundEnded, RefundNotFound, WrongRefund
from treasury.services.order_kind import OrderKind, RailCalls
from treasury.services.purchase_exchange import entries_back
from treasury.services.refunded_payment import Paid, lock_paid, paid_of
from treasury.services.transfer import Entry


class _Refunds(OrderKind[Refund]):
    """See `OrderKind`."""

    noun, moved, named_by = "refund", "went back", "the rail or the bank"
    model, action, waits = Refund, Action.REFUND_MOVE, REFUND_WAITS
    job = Actor.job("refunds")
    ended, missing, wrong = RefundEnded, RefundNotFound, WrongRefund

    def lock(self, payment_id: int, *statuses: str) -> Refund:
        """Its collection or purchase is locked first, and is the locked row."""
        found = Refund.objects.filter(pk=payment_id).values("collection_id", "purchase_id").first()
        if found is None:
            raise RefundNotFound(refund_id=payment_id)
        paid = lock_paid(**found)
        rows = Refund.objects.select_for_update(of=("self",), no_key=True)
        refund = rows.select_related("pending", "transfer", "approval").get(pk=payment_id)
        for name, row in paid.terms.items():
            setattr(refund, name, row)
        if statuses and refund.status not in statuses:
            raise RefundEnded(refund_id=payment_id, status=refund.status)
        return refund

    def rail(self, order: Refund) -> str:
        return order.rail

    def calls_to_send(self, order: Refund) -> RailCalls[Refund] | None:
        """A payment that a person or the provider itself has made goes back by a person, and so
        does one in another currency than the credit is in."""
        payee = order.purchase.payee if order.purchase else None
        is_by_rail = payee is None or (
            payee.method == PurchaseMethod.RAIL and not payee.is_exchanged
        )
        return _calls(rail_named(order.rail)) if is_by_rail else None

    def calls_to_read(self, order: Refund) -> RailCalls[Refund] | None:
        return _calls(rail_to_read(order.rail))

    def task(self, order: Refund) -> str:
        seller = order.purchase.payee.provider_id if order.purchase else "the vendor"
        return (
            f"{order.rail} makes no refunds. Ask {seller} for {order.amount:.2f} {order.currency} "
            f"of {order.of.replace(':', ' ')}, then say here what came of it."
        )

    def is_set_aside(self, order: Refund) -> bool:
        return order.purchase_id is None

    def entries(self, order: Refund, *, now: datetime) -> list[Entry]:
        return refund_entries(paid_of(order), order, now=now)

    def journal(self, order: Refund) -> UUID | None:
        return paid_of(order).transfer.journal

    def related(self, order: Refund) -> list[str]:
        return [order.of]

    def has_decided(self, order: Refund, *, now: datetime) -> None:
        """Have the payment itself read soon: what the vendor gave back by itself was not decided
        while this refund was under way."""
        if order.collection_id is not None:
            Collection.objects.filter(pk=order.collection_id).update(ask_at=now)
        else:
            asked = Purchase.objects.filter(pk=order.purchase_id or 0, ask_at__isnull=False)
            asked.update(ask_at=now)


def _calls(rail: Rail) -> RailCalls[Refund] | None:
    if not isinstance(rail, RefundingRail):
        return None
    refunding: RefundingRail = rail

    def body(refund: Refund) -> str:
        paid = paid_of(refund)
        order = Order(
            purchase=str(refund.key),
            amount=round(refund.amount, min(paid.debit.scale, paid.credit.scale)),
            currency=refund.currency,
            payee=refund.reason,
        )
        return refunding.refund_body(paid.vendor_id, order)

    return RailCalls(
        body=body, send=refunding.refund, find=refunding.find_refund, key_life=rail.key_life
    )


def refund_entries(paid: Paid, refund: Refund, *, now: datetime) -> list[Entry]:
    """The way back of what was paid."""
    entry = Entry(
        debit=paid.debit.name,
        credit=paid.credit.name,
        amount=refund.amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(now),
        reference=refund.vendor_id or paid.name,
        corrects=paid.transfer,
        idempotency_key=f"refund {refund.key}",
    )
    if refund.purchase is None:
        return [entry]
    return entries_back(refund.purchase, entry, gone=paid.transfer.amount - paid.booked_left())


REFUNDS = _Refunds()
