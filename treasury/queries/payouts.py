"""Reads of payouts."""

from datetime import datetime

from treasury.models import Payout

_AT_ONCE = 50


def due_payouts(*, now: datetime) -> list[int]:
    """The ids of payouts that are carried on now, fifty at most."""
    due = Payout.objects.filter(ask_at__lte=now)
    return list(due.order_by("ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])


def payout_page(*, status: str = "", after: int | None = None, most: int) -> list[Payout]:
    """Payouts, newest first."""
    rows = Payout.objects.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return list((rows.filter(status=status) if status else rows)[:most])
