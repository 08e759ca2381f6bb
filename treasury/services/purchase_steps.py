"""Move a purchase from one status to the next, with its step on the timeline and in the audit."""

from datetime import datetime, timedelta
from typing import Any

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import ENDED, Purchase, PurchasePolicy, PurchaseStatus, PurchaseStep
from treasury.refusals import PurchaseEnded, PurchaseNotFound, WrongPurchase
from treasury.services.decide_payment import PaymentKind, change
from treasury.services.policies import pause
from treasury.services.purchase_alerts import tell_of_pause, tell_of_purchase
from treasury.services.purchase_exchange import void_purchase

BUYER = Actor.job("purchases")


def lock_policy(policy_id: int) -> PurchasePolicy:
    """The policy, locked. Refusals: WrongPurchase."""
    policy = (
        PurchasePolicy.objects.select_related(
            "payee__rail_account", "payee__credit_account", "credit_account"
        )
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=policy_id)
        .first()
    )
    if policy is None:
        raise WrongPurchase("There is no policy for this credit: propose one first.")
    return policy


def lock_with_policy(purchase_id: int, *statuses: str) -> tuple[PurchasePolicy, Purchase]:
    """The purchase and its policy, locked, the policy first. Refusals: as `lock_purchase`."""
    policy_id = Purchase.objects.filter(pk=purchase_id).values_list("policy_id", flat=True).first()
    if policy_id is None:
        raise PurchaseNotFound(purchase_id=purchase_id)
    policy = lock_policy(policy_id)
    return policy, lock_purchase(purchase_id, *statuses)


def lock_purchase(purchase_id: int, *statuses: str) -> Purchase:
    """The purchase, locked, in one of the statuses.

    The order of locks is: policy, purchase, ledger, accounts. Refusals: PurchaseNotFound,
    PurchaseEnded.
    """
    purchase = (
        Purchase.objects.locked()
        .select_related(
            "payee__rail_account", "payee__transit_account", "payee__credit_account", "pending"
        )
        .filter(pk=purchase_id)
        .first()
    )
    if purchase is None:
        raise PurchaseNotFound(purchase_id=purchase_id)
    if statuses and purchase.status not in statuses:
        raise PurchaseEnded(purchase_id=purchase_id, status=purchase.status)
    return purchase


def move(
    purchase: Purchase,
    status: str,
    *,
    note: str = "",
    actor: Actor,
    now: datetime,
    **columns: Any,
) -> None:
    """Set the status and the columns of a locked purchase; if it ends, its policy is armed.

    Joins the caller's transaction.
    """
    before = purchase.status
    if status in ENDED:
        columns |= {"ended_at": now, "ask_at": None}
        PurchasePolicy.objects.filter(pk=purchase.policy_id).update(is_armed=True)
    change(purchase, status=status, **columns)
    write_step(purchase, note=note, actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.PURCHASE_MOVE,
        subject=purchase.address,
        before={"status": before},
        after={"status": status, "amount": purchase.amount, "currency": purchase.currency},
        reason=note,
        at=now,
    )
    tell_of_purchase(purchase, before=before, note=note, now=now)


def write_step(purchase: Purchase, *, note: str, actor: Actor, now: datetime) -> None:
    """Add a line to the timeline of the purchase."""
    PurchaseStep.objects.create(
        purchase=purchase,
        status=purchase.status,
        note=note[:300],
        taken_by=str(actor),
        taken_at=now,
    )


class _Purchases(PaymentKind[Purchase]):
    """See `PaymentKind`."""

    job = BUYER
    not_sent = (PurchaseStatus.PROPOSED, PurchaseStatus.APPROVED, PurchaseStatus.RESERVED)
    ended, missing, wrong = PurchaseEnded, PurchaseNotFound, WrongPurchase

    def lock(self, payment_id: int, *statuses: str) -> Purchase:
        return lock_with_policy(payment_id, *statuses)[1]

    def set_free(self, payment: Purchase, *, actor: Actor, now: datetime) -> None:
        void_purchase(payment, actor=actor, now=now)

    def move(
        self,
        payment: Purchase,
        status: str,
        *,
        note: str = "",
        actor: Actor,
        now: datetime,
        **columns: Any,
    ) -> None:
        move(payment, status, note=note, actor=actor, now=now, **columns)


PURCHASES = _Purchases()


def count_decline(policy: PurchasePolicy, *, note: str, now: datetime) -> None:
    """Double the cool-off of the locked policy, and pause it after too many declines in a row."""
    policy.declines += 1
    PurchasePolicy.objects.filter(pk=policy.pk).update(
        declines=policy.declines, next_at=now + cool_off(policy)
    )
    if policy.declines >= policy.declines_max:
        reason = f"{policy.declines} purchases in a row were declined, the last one: {note}"
        if pause(policy.pk, reason=reason, actor=BUYER, now=now):
            tell_of_pause(policy.pk, reason=reason, now=now)


def cool_off(policy: PurchasePolicy) -> timedelta:
    """How long the policy waits after an attempt: twice as long after each decline in a row."""
    return timedelta(seconds=policy.cool_off_seconds << min(policy.declines, 10))
