"""Reads of refunds."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from treasury.models import Collection, CollectionStatus, Purchase, PurchaseStatus, Refund
from treasury.models.amounts import ZERO
from treasury.models.refund_triggers import ENDED

_AT_ONCE = 50


def due_refunds(*, now: datetime) -> list[int]:
    """The ids of refunds that are carried on now, fifty at most."""
    due = Refund.objects.filter(ask_at__lte=now)
    return list(due.order_by("ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])


def refund_page(*, status: str = "", after: int | None = None, most: int) -> list[Refund]:
    """Refunds, newest first."""
    rows = Refund.objects.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return list((rows.filter(status=status) if status else rows)[:most])


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
