"""Set for how long prompts and answers are kept."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from gateway import queries
from gateway.audit_actions import Action
from gateway.models import Exchange, Retention
from gateway.services import retention_lock
from keys.models import CostCentre
from keys.reasons import check_reason
from security import audit
from security.actor import Actor


@transaction.atomic
def set_retention(
    cost_centre: CostCentre, *, days: int | None, actor: Actor, reason: str, now: datetime
) -> Retention:
    """Keep exchanges that this cost centre, or one below it, pays for, for `days`; 0 keeps none.

    None inherits the days of the cost centre above. Exchanges kept for longer expire earlier, some
    at once; those kept for less long do not stay longer. Setting the same days changes nothing. The
    database refuses (IntegrityError) more days than `DAYS_MAX`. Refusals: WrongValue.
    """
    check_reason(reason)
    retention_lock.take_exclusive()
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
    """Expire exchanges of this cost centre, and of those below it, by the days that apply now."""
    centres_of: defaultdict[int, list[str]] = defaultdict(list)
    for slug, days in queries.retention_in_force(above).items():
        centres_of[days].append(slug)
    for days, slugs in centres_of.items():
        until = F("created_at") + timedelta(days=days)
        Exchange.objects.filter(cost_centre__in=slugs, expires_at__gt=until).update(
            expires_at=until
        )
