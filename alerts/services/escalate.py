"""Tell the next channel or persons of an alert that nobody has acknowledged."""

from datetime import datetime

from django.db import transaction

from alerts.models import Channel, Escalation, Notification
from alerts.services.enqueue import queue_notification
from alerts.services.people import plans_for_step


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
    told = _told(step, step.channel, now) if step.channel else _told_people(step, now)
    step.notification = told[0] if told else None
    step.save(update_fields=["done_at", "notification"])
    return bool(told)


def _told(step: Escalation, channel: Channel, now: datetime) -> list[Notification]:
    if channel.disabled_at is not None:
        return []
    under_way = step.alert.notifications.unfinished().filter(channel=channel).first()
    return [under_way or queue_notification(channel=channel, alert=step.alert, now=now)]


def _told_people(step: Escalation, now: datetime) -> list[Notification]:
    return [
        queue_notification(channel=plan.channel, alert=step.alert, due_at=plan.due_at, now=now)
        for plan in plans_for_step(step, now=now)
    ]
