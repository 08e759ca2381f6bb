"""Reads of refunds."""

from decimal import Decimal

from django.db.models import Sum

from treasury.models import ENDED, Collection, CollectionStatus, Purchase, PurchaseStatus
from treasury.models.amounts import ZERO


def refundable(paid: Collection | Purchase) -> Decimal:
    """What of a collection or purchase can still go back; 0 if it has not come or is not credit."""
    if paid.reversed_at:
        return ZERO
    if isinstance(paid, Collection):
        is_there = paid.status == CollectionStatus.SETTLED and paid.transfer is not None
        amount = paid.transfer.amount if paid.transfer else ZERO
    else:
        is_there, amount = paid.status == PurchaseStatus.CREDITED, paid.amount
    gone = paid.refunds.exclude(status__in=ENDED).aggregate(sum=Sum("amount"))["sum"] or ZERO
    return amount - gone if is_there else ZERO
