"""The route: which alerts go to which channels, and when."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from alerts.models.alert import Alert
from alerts.models.channel import Channel
from alerts.models.notification import Notification
from alerts.severity import Severity

MINUTES_MAX = 7 * 24 * 60


class RouteQuerySet(models.QuerySet["Route"]):
    """Filters on routes."""

    def enabled(self) -> Self:
        """Routes that are not switched off."""
        return self.filter(disabled_at=None)

    def locked(self) -> Self:
        """Lock the rows until commit; escalations of them can still be inserted."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class Route(models.Model):
    """Where alerts of some kinds, severities and cost centres go, and when.

    An alert goes by all routes that match it. If none does, it goes to every channel that wants it.
    No route sends a channel what that channel does not want.

    Quiet hours are by the clock of the reporting zone; `quiet_from` after `quiet_until` is over
    midnight. What falls into them waits until they end. `digest`: what came since the last one is
    one message, at the full hour or once a day at `digest_at`. `critical_at_once`: critical alerts
    wait for neither.
    """

    class Digest(models.TextChoices):
        """When alerts are sent."""

        NONE = "none", "at once"
        HOURLY = "hourly", "one message an hour"
        DAILY = "daily", "one message a day"

    name = models.CharField(max_length=100, unique=True, help_text="The name of the route.")
    severity_min = models.CharField(max_length=8, choices=Severity, default=Severity.INFO)
    kinds = models.JSONField(default=list, blank=True)
    cost_centre = models.CharField(max_length=255, blank=True, default="")
    channels = models.ManyToManyField(Channel, related_name="routes")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest = models.CharField(max_length=6, choices=Digest, default=Digest.NONE)
    digest_at = models.TimeField(null=True, blank=True)
    critical_at_once = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | (
                    Q(quiet_from__isnull=False, quiet_until__isnull=False)
                    & ~Q(quiet_from=F("quiet_until"))
                ),
                name="route_quiet_hours_begin_and_end",
            ),
            models.CheckConstraint(
                condition=Q(digest="daily", digest_at__isnull=False)
                | Q(~Q(digest="daily"), digest_at__isnull=True),
                name="route_daily_digest_says_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """The name of the route in the audit."""
        return f"route:{self.pk}"

    def wants(self, alert: Alert) -> bool:
        """Whether the kind and the severity of the alert are those of the route."""
        is_kind = not self.kinds or alert.kind in self.kinds
        return is_kind and self.severity_min in Severity(alert.severity).and_below


class RouteRecipient(models.Model):
    """Persons whom a route tells by e-mail: one by name, or those who hold a role.

    Nobody is told of an alert about a cost centre that they do not see.
    """

    route = models.ForeignKey(Route, models.CASCADE, related_name="recipients")
    role = models.CharField(max_length=150, blank=True, default="")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("role", "person")
        constraints = [
            models.CheckConstraint(
                condition=Q(role="", person__isnull=False) | Q(~Q(role=""), person=None),
                name="routerecipient_is_a_role_or_a_person",
            ),
            models.UniqueConstraint(
                fields=["route", "role"], condition=~Q(role=""), name="routerecipient_role_once"
            ),
            models.UniqueConstraint(fields=["route", "person"], name="routerecipient_person_once"),
        ]

    def __str__(self) -> str:
        return self.role or str(self.person)


def _whom() -> Q:
    """The condition: a channel, those who hold a role, or a person, and only one of them."""
    return (
        Q(channel__isnull=False, role="", person=None)
        | Q(~Q(role=""), channel=None, person=None)
        | Q(channel=None, role="", person__isnull=False)
    )


class StepTarget(models.Model):
    """Whom a step tells: a channel, or by e-mail those who hold a role, or one person.

    Of the persons, those who see the cost centre of the alert are told.
    """

    channel = models.ForeignKey(Channel, models.CASCADE, null=True, related_name="+")
    role = models.CharField(max_length=150, blank=True, default="", db_default="")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
    )

    class Meta:
        abstract = True

    @property
    def target(self) -> UUID | str:
        """The id of the channel, `role:finance` or `person:7`, as the terms of a route have it."""
        if self.role:
            return f"role:{self.role}"
        return self.channel_id or f"person:{self.person_id}"

    @property
    def target_name(self) -> str:
        """Whom it tells, for people."""
        if self.role:
            return f"role {self.role}"
        return str(self.person or (self.channel and self.channel.name))


class EscalationStep(StepTarget):
    """Whom a route tells when nobody has acknowledged an alert so many minutes after it."""

    route = models.ForeignKey(Route, models.CASCADE, related_name="steps")
    after_minutes = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MINUTES_MAX)]
    )

    class Meta:
        ordering = ("after_minutes",)
        constraints = [
            models.UniqueConstraint(
                fields=["route", "after_minutes"], name="escalation_step_once_per_minutes"
            ),
            models.CheckConstraint(
                condition=Q(after_minutes__gte=1, after_minutes__lte=MINUTES_MAX),
                name="escalation_step_minutes_in_range",
            ),
            models.CheckConstraint(condition=_whom(), name="escalation_step_tells_one"),
        ]

    def __str__(self) -> str:
        return f"after {self.after_minutes} minutes: {self.target}"


class EscalationQuerySet(models.QuerySet["Escalation"]):
    """Filters on escalations."""

    def due(self, now: datetime) -> Self:
        """Escalations of alerts that nobody has acknowledged, resolved or snoozed, at their
        moment."""
        awake = Q(alert__snoozed_until=None) | Q(alert__snoozed_until__lte=now)
        return self.filter(awake, alert__status="open", done_at=None, due_at__lte=now)


class Escalation(StepTarget):
    """One step for one alert: it is told once, at `due_at`, if the alert is still open then.

    The rows are written with the alert, so a later change of the route changes none of them.
    `done_at`: when it was told, by `notification` (to several persons: the first of theirs); or
    when it was dropped, because the alert was resolved.
    """

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="escalations")
    route = models.ForeignKey(Route, models.CASCADE, related_name="+")
    after_minutes = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    notification = models.ForeignKey(Notification, models.SET_NULL, null=True, related_name="+")

    objects = EscalationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "route", "after_minutes"], name="escalation_once_per_step"
            ),
            models.CheckConstraint(condition=_whom(), name="escalation_tells_one"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(done_at=None), name="escalation_by_due"),
        ]

    def __str__(self) -> str:
        return f"escalation {self.pk}"


class DigestItem(models.Model):
    """An alert that a channel is told of in a digest, after `due_at`; `digest` is that message.

    Items are only inserted when alerts are raised, so those who raise them wait for nobody. One job
    collects them: what commits late is in the next digest.
    """

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="digest_items")
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="digest_items")
    due_at = models.DateTimeField()
    digest = models.ForeignKey(Notification, models.CASCADE, null=True, related_name="items")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "alert"],
                condition=Q(digest=None),
                name="digest_item_waits_once_per_alert_and_channel",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(digest=None), name="digest_item_by_due"),
        ]

    def __str__(self) -> str:
        return f"digest item {self.pk}"
