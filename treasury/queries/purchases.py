"""Reads of purchases."""

from datetime import datetime

from django.db.models import Case, Q, Value, When

from treasury.models import Phase, Purchase, PurchaseStatus, Transfer, TransferKind

_AT_ONCE = 50


def purchase_fees(purchase: Purchase) -> list[Transfer]:
    """What the rail took for the purchase."""
    if purchase.pending is None:
        return []
    fees = Transfer.objects.filter(journal=purchase.pending.journal, kind=TransferKind.FEE)
    return list(fees.order_by("pk"))


def exchanged(purchase: Purchase) -> Transfer | None:
    """What the rail pays in another currency, with the rate by which it does. None: it pays the
    currency of the credit, or nothing is set aside yet."""
    if purchase.pending is None:
        return None
    of_purchase = Transfer.objects.filter(journal=purchase.pending.journal)
    parts = of_purchase.filter(kind=TransferKind.EXCHANGE, phase=Phase.PENDING)
    return parts.select_related("rate").first()


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
