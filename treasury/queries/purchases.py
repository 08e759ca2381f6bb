"""Reads of purchases."""

from datetime import datetime

from django.db.models import Case, Q, Value, When

from treasury.models import Purchase, PurchaseStatus, Transfer, TransferKind

_AT_ONCE = 50


def purchase_fees(purchase: Purchase) -> list[Transfer]:
    """What the rail took for the purchase."""
    if purchase.pending is None:
        return []
    fees = Transfer.objects.filter(journal=purchase.pending.journal, kind=TransferKind.FEE)
    return list(fees.order_by("pk"))


def due_purchases(*, now: datetime) -> list[int]:
    """The ids of purchases that Butler can carry on now: fifty at most. Those that are credit
    already come last; of the others, those that wait longest come first."""
    at_once = [PurchaseStatus.PROPOSED, PurchaseStatus.APPROVED, PurchaseStatus.RESERVED]
    urgency = Case(
        When(status__in=[PurchaseStatus.APPROVED, PurchaseStatus.RESERVED], then=Value(0)),
        When(status=PurchaseStatus.CREDITED, then=Value(2)),
        default=Value(1),
    )
    due = Purchase.objects.filter(Q(status__in=at_once) | Q(ask_at__lte=now))
    return list(due.order_by(urgency, "ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])
