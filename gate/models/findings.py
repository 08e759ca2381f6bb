"""Findings: secrets that were found where they must not be."""

from django.db import models
from django.db.models import Q

from common import row_triggers


class Finding(models.Model):
    """A secret in a file, a log or a text, as a hook, a scan or a person reports it.

    open ──fix──▶ fixed        it is removed and, if it was a key, replaced
      └───allow─▶ allowed      it is no secret, or everybody may know it

    The secret itself is never stored: `excerpt` is what the scanner shows. `subject` is whose it
    is, if it is one of Butler's own, such as `key:nvidia-1`.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        FIXED = "fixed"
        ALLOWED = "allowed"

    rule = models.CharField(max_length=100, help_text="The rule that found it.")
    path = models.CharField(max_length=1000, help_text="The file or the place where it stands.")
    line = models.PositiveIntegerField(help_text="The line in which it begins.")
    excerpt = models.CharField(
        max_length=100, blank=True, help_text="The beginning of the secret, and its length."
    )
    subject = models.CharField(
        max_length=120,
        blank=True,
        help_text="Whose secret it is, if it is one of Butler's own.",
    )
    reported_by = models.CharField(max_length=200, help_text="Who reported it.")
    reported_at = models.DateTimeField(help_text="When it was first reported.")
    replace_by = models.DateTimeField(
        null=True, blank=True, help_text="When the secret must be replaced."
    )
    status = models.CharField(max_length=7, choices=Status, default=Status.OPEN)
    decided_by = models.CharField(
        max_length=200, blank=True, help_text="Who fixed or allowed it; empty before that."
    )
    decided_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was fixed or allowed."
    )
    reason = models.CharField(
        max_length=300, blank=True, help_text="Why it is fixed or allowed; empty before that."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "path", "line", "excerpt", "subject"],
                condition=Q(status="open"),
                name="finding_once_while_open",
            ),
            models.CheckConstraint(
                condition=Q(status="open", decided_at=None)
                | ~Q(status="open") & Q(decided_at__isnull=False) & ~Q(reason=""),
                name="finding_says_why_it_was_decided",
            ),
        ]
        indexes = [
            # For gate.jobs.watch_findings.
            models.Index(
                fields=["replace_by"], condition=Q(status="open"), name="finding_open_by_deadline"
            )
        ]
        triggers = [
            row_triggers.write_once(
                "finding_keeps_what_was_found", "rule", "path", "line", "excerpt", "subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} in {self.path}:{self.line}"
