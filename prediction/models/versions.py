"""Versions of what was learned."""

from django.db import models
from django.db.models import Q

from common import row_triggers


class ForecastModel(models.Model):
    """A version of the forecaster: of which rows it was learned, and how good it was.

    training ──▶ ready │ failed

    At most one is `in_use`; without one the rule of words goes on. `rows_from` and `rows_until`:
    when the first and the last row were settled. `scores`: see `prediction.learning.evaluate`.
    """

    class Status(models.TextChoices):
        TRAINING = "training"
        READY = "ready"
        FAILED = "failed"

    status = models.CharField(max_length=8, choices=Status, default=Status.TRAINING)
    in_use = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    trained_at = models.DateTimeField(null=True)
    rows = models.IntegerField(default=0)
    censored = models.IntegerField(default=0)
    texts = models.IntegerField(default=0)
    rows_from = models.DateTimeField(null=True)
    rows_until = models.DateTimeField(null=True)
    features = models.JSONField(default=list)
    seed = models.IntegerField(default=0)
    scores = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "forecast model"
        constraints = [
            models.UniqueConstraint(
                fields=["in_use"], condition=Q(in_use=True), name="forecastmodel_one_in_use"
            ),
            models.UniqueConstraint(
                fields=["status"],
                condition=Q(status="training"),
                name="forecastmodel_one_in_training",
            ),
            models.CheckConstraint(
                condition=Q(in_use=False) | Q(status="ready"), name="forecastmodel_in_use_is_ready"
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.pk}"


class ForecastModelContent(models.Model):
    """The forecaster itself, as `prediction.learning.codec` writes it."""

    version = models.OneToOneField(
        ForecastModel, models.CASCADE, primary_key=True, related_name="content"
    )
    data = models.JSONField()

    class Meta:
        triggers = [row_triggers.write_once("content_is_kept", "version", "data")]

    def __str__(self) -> str:
        return f"content of version {self.version_id}"
