"""Scheduled reports: what is sent when and to whom, each run, and each message of it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models import Channel
from common.money_fields import created_at_field


class ReportSchedule(models.Model):
    """A report that is sent at an hour of its zone, with what its owner may see then.

    `table`, `path` and `query` are those of a page; the table `focus` is the FOCUS file of the last
    whole month. `on_day`: of a weekly one 0 (Monday) to 6, of a monthly one 1 to 28. `zone`
    is that of the hour; blank: the reporting zone.
    """

    class Frequency(models.TextChoices):
        """How often it is sent."""

        DAILY = "daily"
        WEEKLY = "weekly"
        MONTHLY = "monthly"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    table = models.CharField(max_length=64)
    path = models.CharField(max_length=500)
    query = models.CharField(max_length=2000, blank=True)
    file_format = models.CharField(max_length=4, choices=[("csv", "CSV"), ("xlsx", "Excel")])
    frequency = models.CharField(max_length=7, choices=Frequency)
    on_day = models.PositiveSmallIntegerField(null=True)
    hour = models.PositiveSmallIntegerField()
    zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    persons = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    channel = models.ForeignKey(Channel, models.SET_NULL, null=True, related_name="+")
    next_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)
    created_at = created_at_field()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], name="reportschedule_once_per_owner_and_name"
            ),
            models.CheckConstraint(
                condition=Q(frequency="daily", on_day=None)
                | Q(frequency="weekly", on_day__lte=6)
                | Q(frequency="monthly", on_day__gte=1, on_day__lte=28),
                name="reportschedule_day_is_of_its_frequency",
            ),
            models.CheckConstraint(condition=Q(hour__lte=23), name="reportschedule_hour_is_one"),
        ]
        indexes = [
            # For reports.services.open_due_runs.
            models.Index(
                fields=["next_at"],
                condition=Q(paused_at=None),
                name="reportschedule_by_next",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Its name in the audit."""
        return f"report_schedule:{self.pk}"


class ReportRun(models.Model):
    """One time that a report is sent. A job claims it, and `attempts` fences that job off.

    queued ──claim──▶ running ──▶ done      every message was sent or has failed for good
                       ▲   └────▶ failed    the owner may no longer see the report, or no file
                       └─claim── running    its job was silent
    """

    class Status(models.TextChoices):
        """Where the run stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    schedule = models.ForeignKey(ReportSchedule, models.CASCADE, related_name="runs")
    due_at = models.DateTimeField(help_text="The report shows what this moment shows.")
    asked_by = models.CharField(max_length=200, blank=True, help_text="Blank: by the schedule.")
    is_test = models.BooleanField(default=False)
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    total = models.CharField(max_length=200, blank=True, help_text="The totals in the file.")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-due_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "due_at"],
                condition=Q(asked_by=""),
                name="reportrun_once_per_moment",
            )
        ]
        indexes = [
            models.Index(
                fields=["claimed_at"],
                condition=Q(status__in=("queued", "running")),
                name="reportrun_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.schedule} {self.due_at:%Y-%m-%d %H:%M}"


class ReportDelivery(models.Model):
    """One message of a run, to a person or a webhook. Each try carries the same `delivery_id`.

    queued or failed ──claim──▶ sending ──▶ sent
                                  └───────▶ failed    tried again, three times at most
    """

    class Status(models.TextChoices):
        """Where the message stands."""

        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    run = models.ForeignKey(ReportRun, models.CASCADE, related_name="deliveries")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
    )
    channel = models.ForeignKey(Channel, models.CASCADE, null=True, related_name="+")
    delivery_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "person"], name="reportdelivery_once_per_person"
            ),
            models.UniqueConstraint(
                fields=["run", "channel"], name="reportdelivery_once_per_channel"
            ),
            models.CheckConstraint(
                condition=Q(person=None, channel__isnull=False)
                | Q(person__isnull=False, channel=None),
                name="reportdelivery_has_one_receiver",
            ),
        ]

    def __str__(self) -> str:
        return f"to {self.person or self.channel}"
