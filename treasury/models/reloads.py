"""How it is known that a provider has reloaded its credit by itself."""

from django.db import models
from django.db.models import Q

from common import row_triggers
from treasury.models.amounts import amount_field
from treasury.models.balances import BalanceSnapshot
from treasury.models.purchases import Purchase


class ReloadSource(models.TextChoices):
    """Who has seen a reload."""

    BALANCE = "balance", "the balance that the provider tells has risen"
    LISTED = "listed", "the provider lists it"
    PERSON = "person", "a person has entered its invoice"


class ReloadEvidence(models.Model):
    """One sighting of a reload that is booked as a purchase of method *vendor*.

    A reload can be seen twice, in the balance and by a person; it is one purchase. `amount` is
    what this sighting says: a balance tells it to what was used in between.
    """

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="evidence")
    source = models.CharField(max_length=8, choices=ReloadSource)
    amount = amount_field(help_text="How much it was by this sighting.")
    snapshot = models.OneToOneField(
        BalanceSnapshot,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="The reading of the balance that had risen.",
    )
    invoice = models.CharField(
        max_length=200,
        blank=True,
        help_text="The number of the provider's invoice or receipt, or how its list names it.",
    )
    occurred_on = models.DateField(help_text="The day of the reload.")
    seen_by = models.CharField(max_length=200)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["purchase", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "source"], name="reloadevidence_once_per_source"
            ),
            models.CheckConstraint(
                condition=Q(source="balance", snapshot__isnull=False, invoice="")
                | Q(source__in=["person", "listed"], snapshot=None) & ~Q(invoice=""),
                name="reloadevidence_says_what_was_seen",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reloadevidence_is_something"),
        ]
        triggers = [
            row_triggers.append_only("reloadevidence_is_append_only"),
            row_triggers.not_truncated("reloadevidence_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.source} of purchase {self.purchase_id}"
