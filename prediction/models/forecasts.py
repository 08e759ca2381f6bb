"""What was forecast, with what was known then."""

from django.db import models
from django.db.models import Q

from common import row_triggers
from keys.models import CostCentre


class Share(models.TextChoices):
    """How surely a budget that is sized by a forecast is enough."""

    P50 = "p50", "enough in 50 of 100 cases"
    P90 = "p90", "enough in 90 of 100 cases"
    P99 = "p99", "enough in 99 of 100 cases"
    RULE = "rule", "as the rule of words says"


class StoredSketch(models.Model):
    """What is kept of a text: `digest`, 16 bytes, the same for the same text; `data`, as
    `prediction.sketches` packs it. The text cannot be read from it."""

    digest = models.BinaryField(max_length=16, primary_key=True)
    data = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "sketch"
        verbose_name_plural = "sketches"

    def __str__(self) -> str:
        return f"sketch {bytes(self.digest).hex()[:8]}"


class Forecast(models.Model):
    """The forecast that a budget was sized by, stored with the budget.

    `session_id` is that of its allocation; of a part, it is stored before, so that there may be
    none. `kind`: the kind of work. Without `version` it is the rule's. `tokens`: the budget;
    `probe`: it is more than the forecast says, so that work that needs more can be seen.
    """

    session_id = models.CharField(max_length=64, primary_key=True)
    agent = models.CharField(max_length=64)
    text_digest = models.BinaryField(max_length=16)
    model = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=120, blank=True)
    rule_tokens = models.BigIntegerField()
    version = models.ForeignKey(
        "prediction.ForecastModel", models.PROTECT, null=True, related_name="forecasts"
    )
    basis = models.CharField(max_length=8)
    p50 = models.BigIntegerField(null=True)
    p90 = models.BigIntegerField(null=True)
    p99 = models.BigIntegerField(null=True)
    tokens = models.BigIntegerField()
    probe = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(p50__isnull=True, p90__isnull=True, p99__isnull=True)
                | Q(p50__lte=models.F("p90"), p90__lte=models.F("p99")),
                name="forecast_rises",
            ),
            models.CheckConstraint(condition=Q(tokens__gt=0), name="forecast_is_positive"),
        ]
        triggers = [row_triggers.append_only("forecast_is_append_only")]

    def __str__(self) -> str:
        return f"forecast of {self.session_id}"


class CentreForecast(models.Model):
    """By which quantile the budgets of a cost centre, and of those below it without a line of their
    own, are sized from texts."""

    cost_centre = models.OneToOneField(
        CostCentre, models.PROTECT, primary_key=True, related_name="+"
    )
    share = models.CharField(max_length=4, choices=Share)

    def __str__(self) -> str:
        return f"{self.cost_centre_id}: {self.share}"
