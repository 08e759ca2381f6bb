"""Tell people of differences that are open."""

from datetime import datetime

from django.db.models import F
from django.db.models.functions import Abs

from alerts import services as alerts
from security.actor import Actor
from treasury.alert_kinds import BILL_DIFFERS
from treasury.models import Difference, DifferenceStatus


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
