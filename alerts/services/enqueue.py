"""Put notifications on the queue: an entry exists if and only if the transaction commits."""

from datetime import datetime

from django.db.models import Exists, OuterRef
from django_q.tasks import async_task

from alerts.models import Alert, Channel, Notification

# A worker is stopped when one delivery takes longer: Apprise's own limits
# (alerts.apprise_transport) end the usual silence long before, this ends a service that answers one
# byte at a time.
DELIVERY_SECONDS = 30


def notify(alert: Alert, *, now: datetime) -> None:
    """Queue a notification on each channel that wants the alert, unless one is under way there."""
    under_way = alert.notifications.unfinished().filter(channel=OuterRef("pk"))
    for channel in Channel.objects.enabled().at_severity(alert.severity).exclude(Exists(under_way)):
        if channel.wants_kind(alert.kind):
            queue_notification(channel=channel, alert=alert, now=now)


def queue_notification(*, channel: Channel, alert: Alert | None, now: datetime) -> Notification:
    """Create the notification of `alert` (None: a test) on `channel`, and its queue entry."""
    notification = Notification.objects.create(
        alert=alert, channel=channel, queued_at=now, next_attempt_at=now
    )
    enqueue(notification.pk)
    return notification


def enqueue(notification_id: int) -> None:
    """Ask a worker to deliver it. A second entry is harmless: one worker claims it.

    A failed entry is acknowledged, because `alerts.jobs.retry_deliveries` is what tries again.
    """
    async_task(
        "alerts.jobs.deliver",
        notification_id,
        task_name=f"notification {notification_id}",
        group="alerts.deliver",
        timeout=DELIVERY_SECONDS,
        ack_failure=True,
    )
