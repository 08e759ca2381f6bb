"""What a refund goes back from, and the move of a refund from one status to the next."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts import services as alerts
from security import audit
from security.actor import Actor
from treasury.alert_kinds import REFUND_WAITS
from treasury.audit_actions import Action
from treasury.models import (
    Account,
    Collection,
    CollectionStatus,
    Purchase,
    PurchaseStatus,
    Refund,
    RefundStatus,
    Transfer,
)
from treasury.models.amounts import ZERO
from treasury.models.refund_triggers import ENDED
from treasury.models.refunds import RefundQuerySet
from treasury.refusals import RefundEnded, RefundNotFound, WrongRefund
from treasury.services.purchase_steps import lock_purchase

REFUNDER = Actor.job("refunds")


@dataclass(frozen=True)
class Paid:
    """A payment of which money can go back, with its row locked.

    `transfer` booked it, and a refund moves money to `debit` from `credit`. `vendor_id`: what the
    rail's refund names. `terms`: the columns of a refund that say what it is of.
    """

    rail: str
    transfer: Transfer
    debit: Account
    credit: Account
    vendor_id: str
    reversed_at: datetime | None
    terms: dict[str, Collection | Purchase]

    @property
    def name(self) -> str:
        """Its name in the audit."""
        return next(iter(self.terms.values())).address

    def refunds(self) -> RefundQuerySet:
        """The refunds of it."""
        refunds: RefundQuerySet = Refund.objects.filter(**self.terms)
        return refunds

    def given_back(self) -> Decimal:
        """What has gone back, or may, with what waits for a second person."""
        return _sum(self.refunds().exclude(status__in=ENDED))

    def booked_left(self) -> Decimal:
        """What has not gone back by now."""
        gone = _sum(self.refunds().filter(status=RefundStatus.SETTLED))
        paid: Decimal = self.transfer.amount
        return paid - gone

    def left(self) -> Decimal:
        """What can still go back."""
        return ZERO if self.reversed_at else self.transfer.amount - self.given_back()


def _sum(refunds: RefundQuerySet) -> Decimal:
    total: Decimal = sum(refunds.values_list("amount", flat=True), ZERO)
    return total


def paid_collection(collection: Collection) -> Paid | None:
    """What a locked collection has brought; None if nothing."""
    if collection.status != CollectionStatus.SETTLED or collection.transfer is None:
        return None
    return Paid(
        rail=collection.rail_account_id,
        transfer=collection.transfer,
        debit=collection.transfer.credit,
        credit=collection.transfer.debit,
        vendor_id=collection.settled_id or collection.vendor_id,
        reversed_at=collection.reversed_at,
        terms={"collection": collection},
    )


def paid_purchase(purchase: Purchase) -> Paid | None:
    """What a locked purchase has bought; None until it is credit."""
    key = f"{purchase.address} is credit"
    booked = Transfer.objects.filter(idempotency_key=key).first()
    if purchase.status != PurchaseStatus.CREDITED or booked is None:
        return None
    return Paid(
        rail=purchase.payee.rail,
        transfer=booked,
        debit=purchase.payee.rail_account,
        credit=purchase.payee.credit_account,
        vendor_id=purchase.vendor_id,
        reversed_at=purchase.reversed_at,
        terms={"purchase": purchase},
    )


def lock_paid(*, collection_id: int | None = None, purchase_id: int | None = None) -> Paid:
    """The payment, locked. Refusals: WrongRefund, PurchaseNotFound."""
    if purchase_id is not None:
        paid = paid_purchase(lock_purchase(purchase_id))
        sentence = "Only a purchase that is credit can be refunded."
    else:
        collection = (
            Collection.objects.select_for_update(of=("self",), no_key=True)
            .select_related("rail_account", "transfer__debit", "transfer__credit")
            .filter(pk=collection_id or 0)
            .first()
        )
        paid = paid_collection(collection) if collection else None
        sentence = "Only a collection whose money has come can be refunded."
    if paid is None:
        raise WrongRefund(sentence)
    return paid


def lock_refund(refund_id: int, *statuses: str) -> tuple[Paid, Refund]:
    """The refund and its payment, locked, the payment first. Refusals: RefundNotFound,
    RefundEnded."""
    found = Refund.objects.filter(pk=refund_id).values("collection_id", "purchase_id").first()
    if found is None:
        raise RefundNotFound(refund_id=refund_id)
    paid = lock_paid(**found)
    refund = (
        Refund.objects.select_for_update(of=("self",), no_key=True)
        .select_related("pending", "transfer", "approval", "purchase__payee")
        .get(pk=refund_id)
    )
    if statuses and refund.status not in statuses:
        raise RefundEnded(refund_id=refund_id, status=refund.status)
    return paid, refund


def move(
    refund: Refund, status: str, *, note: str = "", actor: Actor, now: datetime, **columns: Any
) -> None:
    """Set the status and the columns of a locked refund. Joins the caller's transaction."""
    before = refund.status
    if status in ENDED:
        columns |= {"ended_at": now, "ask_at": None}
    change(refund, status=status, note=(note or refund.note)[:300], **columns)
    record(refund, before=before, reason=note, actor=actor, now=now)
    tell(refund, before=before, now=now)


def change(refund: Refund, **columns: Any) -> None:
    """Set columns of a locked refund."""
    for name, value in columns.items():
        setattr(refund, name, value)
    Refund.objects.filter(pk=refund.pk).update(**columns)


def record(refund: Refund, *, before: str, reason: str, actor: Actor, now: datetime) -> None:
    """Write a step of the refund into the audit."""
    audit.record(
        actor=actor,
        action=Action.REFUND_MOVE,
        subject=refund.address,
        related=[refund.of],
        before={"status": before} if before else None,
        after={"status": refund.status, "amount": refund.amount, "currency": refund.currency},
        reason=reason,
        at=now,
    )


def tell(refund: Refund, *, before: str, now: datetime) -> None:
    """Raise or resolve the alert of a refund that waits for a person."""
    key = f"{REFUND_WAITS.slug}:{refund.pk}"
    if refund.status == RefundStatus.NEEDS_PERSON:
        alerts.raise_alert(
            kind=REFUND_WAITS,
            dedup_key=key,
            title=f"A refund waits for a person: {refund.amount:.2f} {refund.currency}",
            detail=refund.note,
            facts={"refund_id": refund.pk},
            now=now,
        )
    elif before == RefundStatus.NEEDS_PERSON:
        alerts.resolve_by_key(key, actor=REFUNDER, note=f"It is {refund.status} now.", now=now)
