"""The channel: a way to notify people."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.severity import Severity
from security.fields import SealedField

if TYPE_CHECKING:
    from alerts.models.notification import Notification


WEBHOOK_SCHEMES = ("https", "http")
# The service of a channel that is one person, who gets e-mail.
PERSON = "person"


class ChannelQuerySet(models.QuerySet["Channel"]):
    """Filters on channels."""

    def enabled(self) -> Self:
        """Channels that are not switched off."""
        return self.filter(disabled_at=None)

    def shared(self) -> Self:
        """Channels that people add; not those that are one person."""
        return self.filter(person=None)

    def at_severity(self, severity: str) -> Self:
        """Channels that want alerts of this severity."""
        return self.filter(severity_min__in=Severity(severity).and_below)

    def not_resting(self, now: datetime) -> Self:
        """Channels whose last failure is long enough ago."""
        return self.filter(Q(rests_until=None) | Q(rests_until__lte=now))

    def not_sending(self) -> Self:
        """Channels on which no delivery is under way."""
        return self.exclude(notifications__status="sending")

    def locked(self) -> Self:
        """Lock the rows until commit; notifications on them can still be inserted."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class Channel(models.Model):
    """A way to notify people: a URL, sealed as a secret; or one person, by e-mail.

    `service` is the scheme of the URL. `https` and `http` are signed webhooks (Standard Webhooks),
    whose secrets are rows of their own; all others belong to Apprise (e-mail, Slack, …).

    That of a person has no URL: its messages go to the address that the person has then. It is made
    when a route leads to the person. They choose its quiet hours and `muted_kinds`, which count for
    no kind about security.

    The channel gets alerts of `severity_min` and above, of the listed `kinds` or, without a list,
    of all kinds. After `failures` failed deliveries in a row it rests until `rests_until`, so that
    a dead service does not keep the workers busy. A successful delivery resets both.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        max_length=100, unique=True, help_text="The name of the channel on pages and in messages."
    )
    sealed_url = SealedField(bound_to="id", null=True)
    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="alert_channel",
    )
    # Blank: the URL was sealed before this column existed.
    service = models.CharField(max_length=20, blank=True, default="", editable=False)
    severity_min = models.CharField(
        "minimum severity",
        max_length=8,
        choices=Severity,
        default=Severity.INFO,
        help_text="The channel gets alerts of this severity and above.",
    )
    kinds = models.JSONField(default=list, blank=True)
    muted_kinds = models.JSONField(default=list, blank=True, editable=False)
    quiet_from = models.TimeField(null=True, blank=True, editable=False)
    quiet_until = models.TimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    rests_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(person=None, sealed_url__isnull=False) & ~Q(service=PERSON)
                | Q(person__isnull=False, sealed_url=None, service=PERSON),
                name="channel_has_a_url_or_is_a_person",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_person(self) -> bool:
        """Whether its messages go to one person."""
        return self.service == PERSON

    @property
    def address(self) -> str:
        """The name of the channel in the audit."""
        return f"channel:{self.pk}"

    @property
    def failing_key(self) -> str:
        """Dedup key of the alert about this channel's failures."""
        # One for all persons: they share the mail server.
        return f"channel_failing:{'mail' if self.is_person else self.pk}"

    @property
    def is_webhook(self) -> bool:
        """Whether its messages are signed webhooks."""
        return self.service in WEBHOOK_SCHEMES

    def wants_kind(self, kind: str) -> bool:
        """Whether the channel gets alerts of this kind."""
        return not self.kinds or kind in self.kinds

    def is_resting(self, now: datetime) -> bool:
        """Whether the channel failed so recently that nothing is sent through it."""
        return self.rests_until is not None and self.rests_until > now

    def next_due(self, now: datetime) -> "Notification | None":
        """The next notification to send, or None; the one with the fewest attempts comes first."""
        return self.notifications.due(now).order_by("attempts", "pk").first()
