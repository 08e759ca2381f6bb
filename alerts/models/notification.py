"""The notification: telling one channel about one alert; its rows are the delivery log."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

from alerts.models.alert import Alert
from alerts.models.channel import Channel

_UNFINISHED = ("queued", "sending", "failed")


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Filters on notifications."""

    def waiting(self) -> Self:
        """Notifications still to be sent, for the first time or again."""
        return self.filter(status__in=(Notification.Status.QUEUED, Notification.Status.FAILED))

    def due(self, now: datetime) -> Self:
        """Waiting notifications whose next attempt is due, but not of snoozed alerts."""
        awake = Q(alert__snoozed_until=None) | Q(alert__snoozed_until__lte=now)
        return self.waiting().filter(awake, next_attempt_at__lte=now)

    def sending(self) -> Self:
        """Notifications claimed by a worker that has not recorded a result."""
        return self.filter(status=Notification.Status.SENDING)

    def unfinished(self) -> Self:
        """Notifications that are neither sent nor given up."""
        return self.filter(status__in=_UNFINISHED)


class Notification(models.Model):
    """One message to one channel, and its result. No `alert`: a digest, or a test of the channel.

    An alert that comes back is told to its channels again.

    queued ──claim──▶ sending ──▶ sent        the channel's service accepted it
                       ▲    ├───▶ failed      it did not; tried again at `next_attempt_at`
                       │    │        │
                       └────┼─claim──┘
                            └───▶ given_up    after too many attempts; also from queued or failed
                                              when it grew too old or its channel was disabled

    `attempts` counts the claims and is the fencing token of the worker that made the last one.
    If a worker dies between sending and recording it, the message is sent twice: that is better
    than a message that is not sent at all. Both carry the same `delivery_id`, by which its service
    knows that. `last_error` never holds the URL; `answer` is what the service said last, such as
    `HTTP 503`, where Butler knows that.

    `again_of` is the notification that a person had sent again; it has a `delivery_id` of its own.
    """

    class Status(models.TextChoices):
        """Where the delivery stands."""

        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        GIVEN_UP = "given_up"

    alert = models.ForeignKey(
        Alert, models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="notifications")
    # The database makes it, so also rows from before this column have one.
    delivery_id = models.UUIDField(db_default=RandomUUID(), editable=False, unique=True)
    again_of = models.ForeignKey(
        "self", models.RESTRICT, null=True, blank=True, related_name="repetitions"
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    answer = models.CharField(max_length=100, blank=True, default="")
    is_digest = models.BooleanField(default=False, db_default=False)
    queued_at = models.DateTimeField()
    # When the quiet hours of its route end; null: it did not wait for that.
    held_until = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel"],
                condition=Q(status__in=_UNFINISHED),
                name="notification_one_unfinished_per_alert_and_channel",
            ),
            # A dead channel occupies one worker at most.
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(status="sending"),
                name="notification_one_sending_per_channel",
            ),
            models.CheckConstraint(
                condition=Q(is_digest=False) | Q(alert=None),
                name="notification_digest_is_of_no_single_alert",
            ),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False)
                | Q(~Q(status="sent"), sent_at__isnull=True),
                name="notification_sent_says_when",
            ),
        ]
        indexes = [
            # For services.retry_due: the next one of a channel, the least tried first.
            models.Index(
                fields=["channel", "attempts", "id"],
                condition=Q(status__in=["queued", "failed"]),
                name="notification_waiting",
            ),
            models.Index(fields=["-queued_at", "-id"], name="notification_by_queued"),
            # For the last delivery of each channel, and its log.
            models.Index(fields=["channel", "-id"], name="notification_by_channel"),
        ]

    def __str__(self) -> str:
        return f"notification {self.pk} ({self.status})"

    @property
    def is_unfinished(self) -> bool:
        """Whether it may still be sent."""
        return self.status in _UNFINISHED

    @property
    def is_test(self) -> bool:
        """Whether this is a test message of a channel."""
        return self.alert_id is None and not self.is_digest
