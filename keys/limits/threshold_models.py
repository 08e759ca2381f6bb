"""Soft thresholds of budgets: which of them a window has reached."""

from django.db import models
from django.db.models import Q

from common.money_fields import quantity
from keys.limits.models import Window


class ThresholdCrossing(models.Model):
    """A soft threshold that the usage of a window has reached, of which an alert was raised.

    counting ──the window closed, or the limit was raised above what is used──▶ ended (`ended_at`)

    A threshold is crossed once in a window: while the row counts, nothing tells of it again.
    """

    window = models.ForeignKey(Window, models.CASCADE, related_name="crossings")
    threshold = models.CharField(
        max_length=40, help_text="What was reached: a percentage such as 80%, or an amount."
    )
    figure = quantity(help_text="The usage at which the threshold was reached, in the unit.")
    used = quantity(help_text="What the window had used when the threshold was found reached.")
    crossed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["window", "threshold"],
                condition=Q(ended_at__isnull=True),
                name="threshold_crossing_once_per_window",
            ),
        ]
        indexes = [
            # For services.end_crossings: those that count, of windows that may have closed.
            models.Index(
                fields=["window"],
                condition=Q(ended_at__isnull=True),
                name="threshold_crossing_counting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.threshold} of window {self.window_id}"
