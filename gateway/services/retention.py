"""Switch the keeping of prompts and answers on and off."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from gateway import queries
from gateway.audit_actions import Action
from gateway.models import Exchange, Retention
from gateway.services import retention_lock
from keys.models import CostCentre
from security import audit
from security.actor import Actor


@transaction.atomic
def set_retention(
    cost_centre: CostCentre, *, days: int | None, actor: Actor, reason: str, now: datetime
) -> Retention:
    """Keep what this cost centre and those below it pay for, for `days`; 0 keeps nothing.

    None leaves it to the cost centre above. What was kept for longer expires earlier, at once if
    need be; what was kept for less long does not stay longer. Twice is once. The database refuses
    (IntegrityError) days beyond `DAYS_MAX`.
    """
    retention_lock.take()
    retention = Retention.objects.filter(pk=cost_centre.pk).first()
    before = retention.days if retention else None
    if retention and before == days:
        return retention
    retention, _ = Retention.objects.update_or_create(
        cost_centre=cost_centre,
        defaults={"days": days, "changed_by": str(actor), "changed_at": now, "reason": reason},
    )
    audit.record(
        actor=actor,
        action=Action.RETENTION_SET,
        subject=f"centre:{cost_centre.pk}",
        before={"days": before},
        after={"days": days},
        reason=reason,
        at=now,
    )
    _shorten(cost_centre)
    return retention


def _shorten(above: CostCentre) -> None:
    """Let no exchange of this cost centre or one below stay longer than what holds there now."""
    centres_of = defaultdict(list)
    for slug, days in queries.retention_in_force(above).items():
        centres_of[days].append(slug)
    for days, slugs in centres_of.items():
        until = F("created_at") + timedelta(days=days)
        Exchange.objects.filter(cost_centre__in=slugs, expires_at__gt=until).update(
            expires_at=until
        )
