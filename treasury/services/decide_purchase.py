"""What persons say about a purchase: it was paid, it was not paid, it is not wanted any more."""

from datetime import datetime

from django.db import transaction

from security.actor import Actor
from treasury.models import Purchase, PurchaseStatus
from treasury.refusals import WrongPurchase
from treasury.services.add_receipt import ReceiptFile, keep_receipt
from treasury.services.apply_answer import credit, settle
from treasury.services.decide_payment import cancel, change, deny
from treasury.services.purchase_steps import PURCHASES, lock_with_policy, write_step

_Status = PurchaseStatus


@transaction.atomic(durable=True)
def confirm_purchase(
    purchase_id: int,
    *,
    receipt: str,
    file: ReceiptFile | None = None,
    actor: Actor,
    now: datetime,
) -> Purchase:
    """A person has paid, or seen in the rail's console that it was paid, and that it is credit.

    What a rail has paid becomes credit by this, where no rail tells that the provider shows it.
    `receipt`: the number of the receipt; `file`: the receipt itself. Refusals: WrongPurchase,
    PurchaseNotFound, PurchaseEnded, ReceiptUnreadable.
    """
    if not receipt.strip():
        raise WrongPurchase("Give the number of the receipt.")
    _, purchase = lock_with_policy(purchase_id, _Status.NEEDS_PERSON, _Status.SETTLED)
    if purchase.reversed_at:
        raise WrongPurchase("Its money has come back to the rail.")
    if file is not None:
        keep_receipt(purchase, file, actor=actor, now=now)
    if purchase.status == _Status.NEEDS_PERSON:
        change(purchase, vendor_id=receipt.strip()[:200])
        settle(purchase, note=f"Receipt {receipt}", actor=actor, now=now)
    else:
        write_step(purchase, note=f"Receipt {receipt}", actor=actor, now=now)
    credit(purchase, actor=actor, now=now)
    return purchase


def deny_purchase(purchase_id: int, *, reason: str, actor: Actor, now: datetime) -> Purchase:
    """A person knows that it was not paid and will not be: the money is free again.

    Refusals: WrongPurchase, PurchaseNotFound, PurchaseEnded.
    """
    return deny(PURCHASES, purchase_id, reason=reason, actor=actor, now=now)


def cancel_purchase(purchase_id: int, *, reason: str, actor: Actor, now: datetime) -> Purchase:
    """Cancel a purchase before anything was sent. Refusals: WrongPurchase, PurchaseNotFound,
    PurchaseEnded."""
    return cancel(PURCHASES, purchase_id, reason=reason, actor=actor, now=now)
