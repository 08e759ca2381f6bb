"""Files that a job makes of tables too large for a request."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from common.money_fields import created_at_field


class ExportFileQuerySet(models.QuerySet["ExportFile"]):
    """Filters of files."""

    def unfinished(self) -> Self:
        """Files that are still to be made."""
        return self.filter(status__in=(ExportFile.Status.QUEUED, ExportFile.Status.RUNNING))


class ExportFile(models.Model):
    """One table of a page as a file, for the person who asked for it.

    queued ──claim──▶ running ──store──▶ ready     until `expires_at`
      ▲                 │  └────fail───▶ failed    `error` says why
      └─────resume──────┘                          its job was silent

    `attempts` rises with each claim, and a job writes only under its own number: one that was taken
    for dead changes nothing.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="export_files")
    # The owner's bindings when the file was made: who is bound otherwise later does not get it.
    centres = ArrayField(models.SlugField(max_length=64), db_default=[])
    table = models.CharField(max_length=64, help_text="The name of the table.")
    path = models.CharField(max_length=500, db_default="", help_text="The path of the page.")
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the page.")
    file_format = models.CharField(max_length=4, help_text="The format of the file.")
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0, help_text="How many rows are written.")
    rows_expected = models.PositiveBigIntegerField(
        default=0, help_text="How many rows there will be, as the page counted them."
    )
    size = models.PositiveBigIntegerField(default=0, help_text="The size of the file in bytes.")
    error = models.CharField(max_length=300, blank=True)
    created_at = created_at_field()
    progressed_at = models.DateTimeField(null=True, help_text="When its job last wrote rows.")
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    objects = ExportFileQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "table", "query", "file_format"],
                condition=Q(status__in=("queued", "running")),
                name="exportfile_once_while_it_is_made",
            ),
            models.CheckConstraint(
                condition=Q(status="ready", made_at__isnull=False) | ~Q(status="ready"),
                name="exportfile_ready_says_when_it_was_made",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="exportfile_by_expiry"),
            # For dashboard.jobs.resume_exports.
            models.Index(
                fields=["progressed_at"],
                condition=Q(status="running"),
                name="exportfile_running_by_progress",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table}-{self.pk}.{self.file_format}"


class ExportPart(models.Model):
    """A piece of a file that is ready: files are written and read without being held in memory."""

    file = models.ForeignKey(ExportFile, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["file", "number"]
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="exportpart_once_per_number")
        ]

    def __str__(self) -> str:
        return f"part {self.number} of file {self.file_id}"
