"""What vendors have told by webhooks."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from treasury.models.collections import Collection
from treasury.models.purchases import Purchase
from treasury.models.rail_accounts import RailAccount


class EventStatus(models.TextChoices):
    """What came of an event."""

    RECEIVED = "received", "not read yet"
    HANDLED = "handled", "its payment was read"
    UNRELATED = "unrelated", "about no payment of Butler"
    REPEATED = "repeated", "the same event came before"
    UNREADABLE = "unreadable"


class RailEvent(models.Model):
    """A webhook that passed its checks, as it came: stored before it is read.

    received ──read──▶ handled | unrelated | repeated | unreadable

    What it says is not believed: it leads to reading the payment from the vendor.
    """

    rail_account = models.ForeignKey(RailAccount, models.PROTECT, related_name="events")
    body = models.BinaryField()
    body_sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=EventStatus, default=EventStatus.RECEIVED)
    event_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - unique if it is known
    kind = models.CharField(max_length=100, blank=True)
    purchase = models.ForeignKey(Purchase, models.PROTECT, null=True, related_name="events")
    collection = models.ForeignKey(Collection, models.PROTECT, null=True, related_name="events")
    tries = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # The same bytes again; a vendor that sends the same event in other bytes is found by
            # the id in them.
            models.UniqueConstraint(
                fields=["rail_account", "body_sha256"], name="railevent_body_once_per_rail"
            ),
            models.UniqueConstraint(
                fields=["rail_account", "event_id"], name="railevent_once_per_rail"
            ),
            models.CheckConstraint(
                condition=~Q(status="handled") | Q(event_id__isnull=False),
                name="railevent_handled_has_an_id",
            ),
        ]
        indexes = [
            # For treasury.jobs.read_events.
            models.Index(
                fields=["received_at"], condition=Q(status="received"), name="railevent_to_read"
            )
        ]
        triggers = [
            row_triggers.write_once(
                "railevent_keeps_what_came", "rail_account", "body", "body_sha256", "received_at"
            ),
            pgtrigger.Protect(name="railevent_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("railevent_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk} ({self.status})"


class RejectedWebhooks(models.Model):
    """How many webhooks of a rail were rejected on a day, and why; their bodies are not kept."""

    rail_account = models.ForeignKey(RailAccount, models.PROTECT, related_name="rejected")
    day = models.DateField()
    reason = models.CharField(max_length=20)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "reason"]
        constraints = [
            models.UniqueConstraint(
                fields=["rail_account", "day", "reason"], name="rejectedwebhooks_once_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} webhooks of {self.rail_account_id} rejected: {self.reason}"
