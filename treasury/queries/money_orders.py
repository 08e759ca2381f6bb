"""Reads of refunds and payouts."""

from datetime import datetime
from typing import TypeVar

from treasury.models import MoneyOrder, Payout, Refund

OrderT = TypeVar("OrderT", bound=MoneyOrder)
_AT_ONCE = 50


def due_payouts(*, now: datetime) -> list[int]:
    """The ids of payouts that are carried on now, fifty at most."""
    return _due(Payout, now=now)


def due_refunds(*, now: datetime) -> list[int]:
    """As `due_payouts`."""
    return _due(Refund, now=now)


def payout_page(*, status: str = "", after: int | None = None, most: int) -> list[Payout]:
    """Payouts, newest first."""
    return _page(Payout, status=status, after=after, most=most)


def refund_page(*, status: str = "", after: int | None = None, most: int) -> list[Refund]:
    """Refunds, newest first."""
    return _page(Refund, status=status, after=after, most=most)


def _due(model: type[MoneyOrder], *, now: datetime) -> list[int]:
    due = model._default_manager.filter(ask_at__lte=now)
    return list(due.order_by("ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])


def _page(model: type[OrderT], *, status: str, after: int | None, most: int) -> list[OrderT]:
    rows = model._default_manager.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return list((rows.filter(status=status) if status else rows)[:most])
