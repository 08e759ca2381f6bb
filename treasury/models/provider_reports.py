"""What providers report of usage and cost, kept as it came, and its lines."""

from django.db import models
from django.db.models import F, Q

from common import row_triggers
from keys.models import Provider


class ProviderReport(models.Model):
    """A report of a provider: the bytes as they came, and who imported them.

    The same bytes of one provider in one format are one report. A later report of a day replaces
    the earlier ones of the same format when both sides are compared; none is ever changed.
    """

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    format = models.CharField(max_length=40, help_text="How the bytes are read.")
    columns = models.JSONField(
        default=dict, help_text="Of a CSV file: the heading of each field that has another name."
    )
    since = models.DateField(help_text="The first UTC day that the report has.")
    until = models.DateField(help_text="The last UTC day that the report has.")
    content = models.BinaryField(help_text="The bytes as they came.")
    digest = models.BinaryField(max_length=32, help_text="The SHA-256 of the bytes.")
    line_count = models.PositiveIntegerField(help_text="How many lines were read.")
    file_name = models.CharField(max_length=200, blank=True, help_text="The name of the file.")
    fetched_at = models.DateTimeField(help_text="When the provider gave the report.")
    imported_by = models.CharField(max_length=200, help_text="Who imported it.")
    imported_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        permissions = [("reconcile", "Can import reports of providers and settle differences")]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "format", "digest"], name="providerreport_is_kept_once"
            ),
            models.CheckConstraint(
                condition=Q(until__gte=F("since")), name="providerreport_ends_after_it_begins"
            ),
        ]
        triggers = [
            row_triggers.append_only("providerreport_is_append_only"),
            row_triggers.not_truncated("providerreport_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"report {self.pk} of {self.provider_id}"


class ReportLine(models.Model):
    """A line of a report, in the provider's names; see `treasury.reconciliation.lines.Line`."""

    report = models.ForeignKey(ProviderReport, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    day = models.DateField()
    key = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20)
    quantity = models.DecimalField(max_digits=22, decimal_places=6, null=True)
    amount = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    currency = models.CharField(max_length=5)
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["report", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["report", "position"], name="reportline_has_its_position"
            ),
        ]
        triggers = [
            row_triggers.append_only("reportline_is_append_only"),
            row_triggers.not_truncated("reportline_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"line {self.position} of report {self.report_id}"
