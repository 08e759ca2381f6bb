"""Retry deliveries that a crash, a full queue or a dead channel left behind, or give them up."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce, Concat, Trim

from alerts.models import Channel, Notification
from alerts.models.notification import NotificationQuerySet
from alerts.services.deliver import record_failure
from alerts.services.enqueue import DELIVERY_SECONDS, enqueue

# No worker is still sending: the queue stops a worker after DELIVERY_SECONDS (and 3 of grace).
LOST_SECONDS = 3 * DELIVERY_SECONDS
TOO_OLD_HOURS = 24


def retry_due(*, now: datetime) -> int:
    """Close lost and too old deliveries, then enqueue the next due one of every channel.

    One per channel is enough: a success enqueues the next. Returns how many were enqueued.
    """
    for lost in _lost_deliveries(now):
        record_failure(lost, error="The worker was stopped before it recorded a result.", now=now)
    _give_up_too_old(now)
    return _enqueue_next_due(now)


def _lost_deliveries(now: datetime) -> NotificationQuerySet:
    long_ago = now - timedelta(seconds=LOST_SECONDS)
    return Notification.objects.sending().filter(claimed_at__lt=long_ago)


def _give_up_too_old(now: datetime) -> None:
    Notification.objects.waiting().alias(begun_at=Coalesce("held_until", "queued_at")).filter(
        begun_at__lt=now - timedelta(hours=TOO_OLD_HOURS)
    ).update(
        status=Notification.Status.GIVEN_UP,
        last_error=Trim(Concat("last_error", Value(f" Given up after {TOO_OLD_HOURS} hours."))),
    )


@transaction.atomic(durable=True)
def _enqueue_next_due(now: datetime) -> int:
    channels = Channel.objects.enabled().not_resting(now).not_sending()
    following = [notification for channel in channels if (notification := channel.next_due(now))]
    for notification in following:
        enqueue(notification.pk)
    return len(following)
