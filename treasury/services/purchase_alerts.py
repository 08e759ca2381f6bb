"""Tell people of purchases that fail or wait, and of credit that runs low."""

from datetime import datetime
from decimal import Decimal

from alerts import services as alerts
from security.actor import Actor
from treasury.alert_kinds import (
    CREDIT_LOW,
    PURCHASE_DECLINED,
    PURCHASE_WAITS,
    PURCHASES_PAUSED,
    RELOAD_EXCEEDS,
)
from treasury.models import Purchase, PurchasePolicy, PurchaseStatus
from treasury.queries.balances_of_credit import whole_credit
from treasury.queries.credit import runway

_ACTOR = Actor.job("purchases")
_FAILED = (PurchaseStatus.DECLINED, PurchaseStatus.REFUSED)


def tell_of_purchase(purchase: Purchase, *, before: str, note: str, now: datetime) -> None:
    """Raise or resolve what the new status of a purchase gives reason to. Joins the caller's
    transaction, late in it."""
    waits = f"{PURCHASE_WAITS.slug}:{purchase.pk}"
    declined = f"{PURCHASE_DECLINED.slug}:{purchase.policy_id}"
    what = f"{purchase.amount:.2f} {purchase.currency} of credit of {purchase.payee.provider_id}"
    facts = {"purchase_id": purchase.pk, "policy_id": purchase.policy_id}
    if purchase.status == PurchaseStatus.NEEDS_PERSON:
        title = f"A purchase waits for a person: {what}"
        alerts.raise_alert(
            kind=PURCHASE_WAITS, dedup_key=waits, title=title, detail=note, facts=facts, now=now
        )
    elif before == PurchaseStatus.NEEDS_PERSON:
        alerts.resolve_by_key(waits, actor=_ACTOR, note=f"It is {purchase.status} now.", now=now)
    if purchase.status in _FAILED:
        title = f"A purchase was {purchase.status}: {what}"
        credit = purchase.payee.credit_account
        left, days = whole_credit(credit), runway(credit, now=now).days
        lasts = "" if days is None else f", for {days} days at the present pace"
        alerts.raise_alert(
            kind=PURCHASE_DECLINED,
            dedup_key=declined,
            title=title,
            detail=f"{note}\n{left:.2f} {purchase.currency} of credit are left{lasts}.",
            facts=facts,
            now=now,
        )
    elif purchase.status == PurchaseStatus.SETTLED:
        note = f"Purchase {purchase.pk} was paid."
        alerts.resolve_by_key(declined, actor=_ACTOR, note=note, now=now)


def tell_of_reload(purchase: Purchase, *, why: str, now: datetime) -> None:
    """Raise the alert of a provider that has reloaded more than was approved. Joins the caller's
    transaction, late in it."""
    what = f"{purchase.amount:.2f} {purchase.currency}"
    alerts.raise_alert(
        kind=RELOAD_EXCEEDS,
        dedup_key=f"{RELOAD_EXCEEDS.slug}:{purchase.pk}",
        title=f"{purchase.payee.provider_id} has reloaded {what}: more than was approved",
        detail=why,
        facts={"purchase_id": purchase.pk, "policy_id": purchase.policy_id},
        now=now,
    )


def tell_of_pause(policy_id: int, *, reason: str, now: datetime) -> None:
    """Raise the alert of a policy that has paused itself. Joins the caller's transaction."""
    alerts.raise_alert(
        kind=PURCHASES_PAUSED,
        dedup_key=_paused(policy_id),
        title="A purchase policy is paused after declines",
        detail=reason,
        facts={"policy_id": policy_id},
        now=now,
    )


def resolve_pause(policy_id: int, *, actor: Actor, note: str, now: datetime) -> None:
    """Resolve that alert. Joins the caller's transaction."""
    alerts.resolve_by_key(_paused(policy_id), actor=actor, note=note, now=now)


def tell_of_credit(policy: PurchasePolicy, credit: Decimal, *, why: str, now: datetime) -> None:
    """Raise or resolve the alert of too little credit. Joins the caller's transaction."""
    dedup_key = f"{CREDIT_LOW.slug}:{policy.pk}"
    if credit >= policy.threshold:
        alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="There is enough credit.", now=now)
        return
    alerts.raise_alert(
        kind=CREDIT_LOW,
        dedup_key=dedup_key,
        title=f"{policy.credit_account} is low: {credit:.2f} are left",
        detail=why,
        facts={"policy_id": policy.pk},
        now=now,
    )


def _paused(policy_id: int) -> str:
    return f"{PURCHASES_PAUSED.slug}:{policy_id}"
