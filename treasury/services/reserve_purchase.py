"""Set the money of a purchase aside, in one transaction with the check of the bounds."""

from datetime import datetime

from django.db import transaction

from treasury.bounds import check_bounds, spent
from treasury.models import Purchase, PurchasePolicy, PurchaseStatus
from treasury.refusals import (
    AccountOverdrawn,
    PolicyPaused,
    PurchaseBoundReached,
    WrongExchange,
)
from treasury.services.purchase_exchange import set_purchase_aside
from treasury.services.purchase_steps import (
    BUYER,
    cool_off,
    count_decline,
    lock_with_policy,
    move,
)


@transaction.atomic(durable=True)
def reserve_purchase(purchase_id: int, *, now: datetime) -> Purchase:
    """Set the money of an approved purchase aside; it is *refused* if a bound or the rail's account
    does not allow it now. Each call spends the cool-off of the policy.

    Refusals: PurchaseNotFound, PurchaseEnded.
    """
    policy, purchase = lock_with_policy(purchase_id, PurchaseStatus.APPROVED)
    # The attempt spends it, also one that will be declined.
    PurchasePolicy.objects.filter(pk=policy.pk).update(next_at=now + cool_off(policy))
    try:
        # Within a savepoint: what the ledger refuses leaves nothing behind.
        with transaction.atomic():
            _reserve(policy, purchase, now=now)
    except (PurchaseBoundReached, AccountOverdrawn, PolicyPaused, WrongExchange) as refusal:
        move(purchase, PurchaseStatus.REFUSED, note=str(refusal), actor=BUYER, now=now)
        count_decline(policy, note=str(refusal), now=now)
    return purchase


def _reserve(policy: PurchasePolicy, purchase: Purchase, *, now: datetime) -> None:
    if policy.paused_at:
        raise PolicyPaused(reason=policy.paused_reason)
    check_bounds(policy, purchase.amount, spent(policy, now=now))
    pending = set_purchase_aside(purchase, actor=BUYER, now=now)
    move(purchase, PurchaseStatus.RESERVED, actor=BUYER, now=now, reserved_at=now, pending=pending)
