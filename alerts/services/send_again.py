"""Send a notification again that was sent or given up."""

from datetime import datetime

from django.db import transaction

from alerts.audit_actions import Action
from alerts.models import Channel, Notification
from alerts.refusals import (
    ChannelDisabled,
    NotificationNotFound,
    NotificationUnfinished,
)
from alerts.services.enqueue import queue_notification
from security import audit
from security.actor import Actor


@transaction.atomic
def send_again(
    notification_id: int, *, actor: Actor, reason: str = "", now: datetime
) -> Notification:
    """Queue what a notification told once more, as a notification of its own that names the first.

    Refusals: NotificationNotFound; NotificationUnfinished if it, or another one of the same alert
    and channel, is still to be sent; ChannelDisabled.
    """
    channel = Channel.objects.filter(notifications=notification_id).locked().first()
    if channel is None:
        raise NotificationNotFound(notification_id=notification_id)
    earlier = Notification.objects.select_related("alert", "again_of").get(pk=notification_id)
    if channel.disabled_at:
        raise ChannelDisabled(channel=channel.name)
    same = channel.notifications.unfinished().filter(alert=earlier.alert)
    if earlier.alert and (unfinished := same.first()):
        raise NotificationUnfinished(notification_id=unfinished.pk)
    again = queue_notification(
        channel=channel,
        alert=earlier.alert,
        again_of=earlier.again_of or earlier,
        is_digest=earlier.is_digest,
        now=now,
    )
    audit.record(
        actor=actor,
        action=Action.NOTIFICATION_SEND_AGAIN,
        subject=(earlier.alert or channel).address,
        related=[channel.address],
        after={"notification": again.pk, "again_of": earlier.pk},
        reason=reason,
        at=now,
    )
    return again
