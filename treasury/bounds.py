"""How much a policy still allows: the bounds of a purchase, a day and a month."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum

from treasury.models import PurchasePolicy
from treasury.models.amounts import ZERO
from treasury.models.purchase_triggers import COUNTED
from treasury.refusals import PurchaseBoundReached


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the purchases of a policy cost on this day and in this month, and what they may."""

    of_day: Decimal
    of_month: Decimal


def spent(policy: PurchasePolicy, *, now: datetime) -> Spent:
    """What counts for the bounds at this moment. Exact if the policy is locked.

    All that was or may have been paid counts at its full amount, on the day it was set aside.
    """
    local = now.astimezone(ZoneInfo(policy.zone))
    midnight = datetime.combine(local.date(), time(), tzinfo=ZoneInfo(policy.zone))
    first = midnight.replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    sums = policy.purchases.filter(
        status__in=COUNTED, reserved_at__gte=first, reserved_at__lt=next_month
    ).aggregate(
        of_day=Sum(
            "amount",
            filter=Q(reserved_at__gte=midnight, reserved_at__lt=midnight + timedelta(days=1)),
            default=ZERO,
        ),
        of_month=Sum("amount", default=ZERO),
    )
    return Spent(**sums)


def left(policy: PurchasePolicy, counted: Spent) -> dict[str, Decimal]:
    """What each bound still allows, by its name in a sentence."""
    return {
        "in one purchase": policy.per_purchase_max,
        "today": policy.daily_max - counted.of_day,
        "this month": policy.monthly_max - counted.of_month,
    }


def check_bounds(policy: PurchasePolicy, amount: Decimal, counted: Spent) -> None:
    """Refusals: PurchaseBoundReached, with the first bound that does not allow the amount."""
    for bound, allowed in left(policy, counted).items():
        if amount > allowed:
            raise PurchaseBoundReached(bound=bound, left=max(allowed, ZERO), amount=amount)
