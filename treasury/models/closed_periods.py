"""Closed periods: days into which nothing is posted any more."""

from django.db import models
from django.db.models import Q

from common import row_triggers


class ClosedPeriod(models.Model):
    """No transfer is effective on or before `through` any more.

    A mistake that is found later is corrected by a transfer of an open period, which names the one
    that it corrects. A closed period is never opened again.
    """

    through = models.DateField(unique=True, help_text="The last day of the period.")
    closed_by = models.CharField(max_length=200, help_text="Who closed it.")
    reason = models.CharField(max_length=300, help_text="Why it was closed.")
    closed_at = models.DateTimeField(help_text="When it was closed.")

    class Meta:
        ordering = ["-through"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="closedperiod_has_a_reason"),
        ]
        triggers = [
            row_triggers.append_only("closedperiod_is_append_only"),
            row_triggers.not_truncated("closedperiod_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"closed through {self.through}"
