"""How reports of usage and cost are fetched from providers, and which of their days agree."""

import uuid

from django.db import models

from keys.models import Provider
from security.fields import SealedField


class ReportAccess(models.Model):
    """How the reports of a provider are fetched: where, and the admin key that is sent there.

    The address never changes without the secret, so nobody gets the secret by changing the address.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.OneToOneField(Provider, models.PROTECT, related_name="+")
    source = models.CharField(max_length=40, help_text="Whose reports they are.")
    base_url = models.URLField(help_text="Where the provider is asked.")
    sealed = SealedField(bound_to="id")
    since = models.DateField(help_text="The first UTC day that is fetched.")
    asked_at = models.DateTimeField(null=True, help_text="When the provider was asked last.")
    error = models.CharField(
        max_length=300, blank=True, help_text="Why nothing could be fetched then."
    )
    set_by = models.CharField(max_length=200, help_text="Who entered the secret.")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ["provider"]

    def __str__(self) -> str:
        return f"reports of {self.provider_id}"


class ReportDay(models.Model):
    """A day of a fetched report: what it said last, and since when it has said the same.

    Two fetches a day apart that agree make it final (`agreed_at`): it is not fetched again.
    """

    access = models.ForeignKey(ReportAccess, models.CASCADE, related_name="days")
    format = models.CharField(max_length=40)
    day = models.DateField()
    digest = models.BinaryField(max_length=32, help_text="The SHA-256 of its lines.")
    first_told_at = models.DateTimeField(help_text="When it was fetched first as it is now.")
    agreed_at = models.DateTimeField(null=True, help_text="When it had said the same for a day.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["access", "format", "day"], name="reportday_once_per_report"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.format} of {self.day}"
