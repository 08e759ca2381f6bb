"""Reads of purchases."""

from datetime import datetime

from django.db.models import Q

from treasury.models import Purchase, PurchaseStatus

_AT_ONCE = 50


def due_purchases(*, now: datetime) -> list[int]:
    """The ids of purchases that Butler can carry on now: fifty at most, those that wait longest
    first."""
    at_once = [PurchaseStatus.PROPOSED, PurchaseStatus.APPROVED, PurchaseStatus.RESERVED]
    due = Purchase.objects.filter(Q(status__in=at_once) | Q(ask_at__lte=now))
    return list(due.order_by("ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])
