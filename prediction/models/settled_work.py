"""What came of work that was lent a budget: the rows that are learned from."""

from django.db import models

from common import row_triggers
from keys.models import Allocation


class SettledWork(models.Model):
    """One allocation that ended, with what was known before and what it used.

    `settled_at`: when it ended. `censored`: it was cut off by its budget or given up, so the
    figures are lower bounds. `rule_tokens`, `p90` and `text_digest` are null without a text.
    `input_tokens` and `output_tokens` are those of its settled calls, `reasoning_tokens` are part
    of the output.
    """

    allocation = models.OneToOneField(
        Allocation, models.PROTECT, primary_key=True, related_name="settled_work"
    )
    settled_at = models.DateTimeField()
    agent = models.CharField(max_length=64)
    cost_centre = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=120, blank=True)
    text_digest = models.BinaryField(max_length=16, null=True)
    rule_tokens = models.BigIntegerField(null=True)
    p50 = models.BigIntegerField(null=True)
    p90 = models.BigIntegerField(null=True)
    tokens = models.BigIntegerField()
    calls = models.IntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    censored = models.BooleanField()

    class Meta:
        ordering = ["-settled_at", "-allocation_id"]
        verbose_name = "settled work"
        verbose_name_plural = "settled work"
        indexes = [
            # For training: the newest rows; and for what was forecast, of each model.
            models.Index(fields=["-settled_at", "-allocation"], name="settledwork_newest"),
            models.Index(
                fields=["-settled_at"],
                condition=models.Q(p90__isnull=False),
                name="settledwork_forecast",
            ),
        ]
        triggers = [row_triggers.append_only("settledwork_is_append_only")]

    def __str__(self) -> str:
        return f"work of allocation {self.allocation_id}"
