"""The partitions of charges: tables for months that are over, and what retention deleted."""

from datetime import UTC, datetime, timedelta

import pgtrigger
from django.db import models
from django.db.models import Q

from common.money_fields import usd
from security.audit_chain.triggers import queue_for_sealing


class ChargePartition(models.Model):
    """The table of the charges whose allocations were lent in one month, once they are final.

    filling ──complete──▶ complete      no charge of the month can come any more
                 └─────drop──────▶ dropped   retention deleted the table; sums of usage stay

    The table (`table`) inherits from `keys_charge`: a query of charges reads it, too. Its rows
    never change. What can still change stays in `keys_charge` itself: charges of allocations that
    are open or closed a short time ago, held and expired ones, and estimates that a late settlement
    may correct. `month` is the first day of a month in UTC.

    `charges` to `settled_until` are counted when it is complete. `row_ids` is a multirange of
    PostgreSQL as text, written when it is dropped: with it the audit chain tells a charge that
    retention deleted from one that somebody deleted.
    """

    month = models.DateField(unique=True)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    charges = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost = usd(default=0)
    settled_from = models.DateTimeField(null=True, help_text="When its first call was settled.")
    settled_until = models.DateTimeField(null=True, help_text="When its last call was settled.")
    dropped_at = models.DateTimeField(null=True)
    dropped_by = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    row_ids = models.TextField(blank=True, help_text="The ids of the deleted charges.")

    class Meta:
        ordering = ["-month"]
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="chargepartition_is_a_month"),
            models.CheckConstraint(
                condition=Q(dropped_at__isnull=True, row_ids="")
                | Q(dropped_at__isnull=False, completed_at__isnull=False) & ~Q(row_ids=""),
                name="chargepartition_says_what_was_dropped",
            ),
        ]
        permissions = [
            ("set_charge_retention", "Can change for how long single charges are kept"),
        ]
        triggers = [
            pgtrigger.Protect(name="chargepartition_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="chargepartition_stays_dropped",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__dropped_at__isnull=False),
            ),
            queue_for_sealing(
                "chargepartition_is_sealed",
                source="dropped_charges",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__dropped_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"charges of {self.month:%B %Y}"

    @property
    def status(self) -> str:
        """Where the partition stands, in one word."""
        if self.dropped_at:
            return "deleted"
        return "complete" if self.completed_at else "filling"

    @property
    def starts_at(self) -> datetime:
        """The first moment of the month in UTC."""
        return datetime(self.month.year, self.month.month, 1, tzinfo=UTC)

    @property
    def ends_at(self) -> datetime:
        """The first moment after the month."""
        month_after = self.starts_at.replace(day=28) + timedelta(days=4)
        return month_after.replace(day=1)

    @property
    def table(self) -> str:
        """The name of its table, such as `keys_charge_2026_09`."""
        return f"keys_charge_{self.month:%Y_%m}"
