"""Tell people of differences that are open."""

from datetime import datetime

from django.db.models import F
from django.db.models.functions import Abs

from alerts import services as alerts
from security.actor import Actor
from treasury.alert_kinds import BILL_DIFFERS, RAIL_STATEMENT_DIFFERS
from treasury.models import Account, Difference, DifferenceStatus


def tell_of(found: Difference, *, actor: Actor, now: datetime) -> None:
    """Raise or resolve the alert that a difference belongs to. Joins the caller's transaction."""
    if found.account is not None:
        tell_of_rail(found.account, actor=actor, now=now)
    elif found.provider_id:
        tell(found.provider_id, actor=actor, now=now)


def tell(provider: str, *, actor: Actor, now: datetime) -> None:
    """Raise or resolve the alert of open differences. Joins the caller's transaction, late."""
    key = f"{BILL_DIFFERS.slug}:{provider}"
    rows = Difference.objects.filter(provider=provider, status=DifferenceStatus.OPEN)
    largest = rows.order_by(Abs(F("theirs") - F("own")).desc(), "pk").first()
    if largest is None:
        note = "No difference is open any more."
        alerts.resolve_by_key(key, actor=Actor.job("reconciliation"), note=note, now=now)
        return
    count = rows.count()
    alerts.raise_alert(
        kind=BILL_DIFFERS,
        dedup_key=key,
        title=f"The bill of {provider} differs: {count} open difference{'s' * (count > 1)}",
        detail=f"The largest one is {largest.amount:.2f} {largest.currency} on {largest.day}.",
        facts={"difference_id": largest.pk, "provider": provider},
        now=now,
    )


def tell_of_rail(account: Account, *, actor: Actor, now: datetime) -> None:
    """As `tell`, of the statements of a rail."""
    key = f"{RAIL_STATEMENT_DIFFERS.slug}:{account.name}"
    rows = Difference.objects.filter(account=account, status=DifferenceStatus.OPEN)
    largest = rows.order_by(Abs(F("theirs") - F("own")).desc(), "pk").first()
    if largest is None:
        note = "No difference is open any more."
        alerts.resolve_by_key(key, actor=Actor.job("reconciliation"), note=note, now=now)
        return
    count = rows.count()
    alerts.raise_alert(
        kind=RAIL_STATEMENT_DIFFERS,
        dedup_key=key,
        title=f"The statements of {account} differ: {count} open difference{'s' * (count > 1)}",
        detail=f"The largest one is {largest.amount:.2f} {largest.currency} on {largest.day}.",
        facts={"difference_id": largest.pk, "account": account.name},
        now=now,
    )
