"""Send what came since the last digest as one message."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from alerts.models import Channel, DigestItem
from alerts.services.enqueue import queue_notification


def send_due_digests(*, now: datetime) -> int:
    """Queue one digest for each channel that has alerts whose moment has come; returns how many.

    Alerts that are snoozed wait until they come back.
    """
    channels = _due(now).values_list("channel", flat=True).order_by("channel").distinct()
    return sum(_send(channel_id, now=now) for channel_id in channels)


@transaction.atomic(durable=True)
def _send(channel_id: UUID, *, now: datetime) -> bool:
    """The items belong to the digest if and only if it is queued."""
    channel = Channel.objects.locked().get(pk=channel_id)
    items = list(_due(now).filter(channel=channel).values_list("pk", flat=True))
    if not items:  # another run did it
        return False
    if channel.disabled_at:
        DigestItem.objects.filter(pk__in=items).delete()
        return False
    digest = queue_notification(channel=channel, alert=None, is_digest=True, now=now)
    DigestItem.objects.filter(pk__in=items).update(digest=digest)
    return True


def _due(now: datetime) -> QuerySet[DigestItem]:
    awake = Q(alert__snoozed_until=None) | Q(alert__snoozed_until__lte=now)
    return DigestItem.objects.filter(awake, digest=None, due_at__lte=now)
