"""Set the money of a purchase aside, in one transaction with the check of the bounds."""

from datetime import datetime

from django.db import transaction

from treasury.bounds import check_bounds, spent
from treasury.ledger_days import ledger_day
from treasury.models import Purchase, PurchasePolicy, PurchaseStatus, TransferKind
from treasury.refusals import AccountOverdrawn, PolicyPaused, PurchaseBoundReached
from treasury.services.pending import UNTIL_KNOWN, begin_pending
from treasury.services.purchase_steps import (
    BUYER,
    cool_off,
    count_decline,
    lock_with_policy,
    move,
)
from treasury.services.transfer import Entry


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
    except (PurchaseBoundReached, AccountOverdrawn, PolicyPaused) as refusal:
        move(purchase, PurchaseStatus.REFUSED, note=str(refusal), actor=BUYER, now=now)
        count_decline(policy, note=str(refusal), now=now)
    return purchase


def _reserve(policy: PurchasePolicy, purchase: Purchase, *, now: datetime) -> None:
    if policy.paused_at:
        raise PolicyPaused(reason=policy.paused_reason)
    check_bounds(policy, purchase.amount, spent(policy, now=now))
    payee = purchase.payee
    entry = Entry(
        debit=payee.transit_account.name,
        credit=payee.rail_account.name,
        amount=purchase.amount,
        kind=TransferKind.PURCHASE,
        effective_on=ledger_day(now),
        reference=purchase.address,
        idempotency_key=f"{purchase.address} {purchase.key}",
    )
    (pending,) = begin_pending([entry], expires_at=now + UNTIL_KNOWN, actor=BUYER, now=now)
    move(purchase, PurchaseStatus.RESERVED, actor=BUYER, now=now, reserved_at=now, pending=pending)
