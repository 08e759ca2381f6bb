"""Tell the next channel of an alert that nobody has acknowledged."""

from datetime import datetime

from django.db import transaction

from alerts.models import Escalation
from alerts.services.enqueue import queue_notification


def escalate_due(*, now: datetime) -> int:
    """Tell each step whose moment has come, once; returns how many were told.

    Steps of alerts that are resolved are dropped.
    """
    Escalation.objects.filter(done_at=None, alert__resolved_at__isnull=False).update(done_at=now)
    due = Escalation.objects.due(now).order_by("due_at", "pk").values_list("pk", flat=True)
    return sum(_escalate(pk, now=now) for pk in due)


@transaction.atomic(durable=True)
def _escalate(escalation_id: int, *, now: datetime) -> bool:
    """The step is done if and only if its notification is queued."""
    rows = Escalation.objects.select_for_update(of=("self", "alert"), no_key=True)
    step = rows.select_related("alert", "channel").due(now).filter(pk=escalation_id).first()
    if step is None:  # another run did it, or a person took the alert
        return False
    step.done_at = now
    under_way = step.alert.notifications.unfinished().filter(channel=step.channel).first()
    if step.channel.disabled_at is None:
        step.notification = under_way or queue_notification(
            channel=step.channel, alert=step.alert, now=now
        )
    step.save(update_fields=["done_at", "notification"])
    return step.notification is not None
