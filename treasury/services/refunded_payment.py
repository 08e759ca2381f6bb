"""What a refund is of: a collection or purchase of which money can go back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from treasury.models import (
    ENDED,
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
from treasury.models.refunds import RefundQuerySet
from treasury.refusals import WrongRefund
from treasury.services.purchase_steps import lock_purchase

# Refunds that the ledger has, and has not taken back.
_BOOKED = (RefundStatus.SETTLED, RefundStatus.RETURNING)


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
        gone = _sum(self.refunds().filter(status__in=_BOOKED))
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


def paid_of(refund: Refund) -> Paid:
    """The payment of a locked refund."""
    if refund.purchase is not None:
        paid = paid_purchase(refund.purchase)
    else:
        paid = paid_collection(refund.collection) if refund.collection else None
    if paid is None:
        raise ValueError(f"{refund} is of nothing that was paid.")
    return paid
