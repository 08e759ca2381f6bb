"""What was not as usual, what people expect, and what is frozen by itself."""

from django.db import models
from django.db.models import Q

from alerts.models import Alert


class AnomalyKind(models.TextChoices):
    """The kinds of anomalies."""

    SPIKE = "spike", "spike of spend"
    CREEP = "creep", "slow creep"
    LOOP = "loop", "loop of calls"
    STUCK = "stuck", "stuck agent"
    STORM = "storm", "retry storm"
    SHIFT = "shift", "changed price or tokens per call"


class Anomaly(models.Model):
    """An incident: one alert, however often it is seen again.

    open ──it is no longer seen, or a person expects it──▶ ended (`ended_at`), alert resolved

    `subject` is an agent or an API key, such as `agent:ada`; `cost_centre` that of the agent, blank
    for a key. `evidence` are figures, `words` says them in a sentence.
    """

    kind = models.CharField(max_length=8, choices=AnomalyKind)
    subject = models.CharField(max_length=300)
    cost_centre = models.CharField(max_length=255, blank=True)
    words = models.TextField()
    evidence = models.JSONField(default=dict)
    alert = models.ForeignKey(Alert, models.PROTECT, related_name="+")
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-began_at", "-id"]
        verbose_name_plural = "anomalies"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(ended_at=None),
                name="anomaly_one_open_per_kind_and_subject",
            )
        ]
        indexes = [
            # For the page, the newest first; and for the cool-off.
            models.Index(fields=["-began_at", "-id"], name="anomaly_newest"),
            models.Index(fields=["-ended_at"], name="anomaly_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.subject}"


class ExpectedAnomaly(models.Model):
    """A person expects anomalies of a kind from a subject: they are not told any more."""

    kind = models.CharField(max_length=8, choices=AnomalyKind)
    subject = models.CharField(max_length=300)
    cost_centre = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=300)
    expected_by = models.CharField(max_length=255)
    expected_at = models.DateTimeField()

    class Meta:
        ordering = ["subject", "kind"]
        verbose_name_plural = "expected anomalies"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], name="expectedanomaly_once_per_kind_and_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.subject}"


class AnomalyFreeze(models.Model):
    """A kind of anomalies that freezes the agent or the API key by itself. No row: it does not."""

    kind = models.CharField(max_length=8, choices=AnomalyKind, primary_key=True)

    def __str__(self) -> str:
        return f"freeze at a {self.get_kind_display()}"
