"""Consumption: what the charges of a day have used of the credit of a provider."""

from django.db import models
from django.db.models import Q

from common import row_triggers
from keys.models import ApiKey, CostCentre
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field
from treasury.models.transfers import Transfer


class Consumption(models.Model):
    """What the charges of a UTC day, an API key and a cost centre cost, beyond what was posted.

    The first revision has the cost that was known then; each later one what it has changed by:
    late charges and adjustments. So the revisions add up to the charges that the filter finds. A
    negative amount goes back to the credit.
    """

    credit_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    day = models.DateField(help_text="The day in UTC on which the charges were settled.")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+")
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField()
    amount = amount_field()
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="consumption")

    class Meta:
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "api_key", "cost_centre", "revision"], name="consumption_is_numbered"
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="consumption_is_not_nothing"),
        ]
        triggers = [
            row_triggers.append_only("consumption_is_append_only"),
            row_triggers.not_truncated("consumption_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"consumption of {self.day} on {self.api_key_id} by {self.cost_centre_id}"


class ConsumptionRun(models.Model):
    """When the consumption of a credit was posted last."""

    credit_account = models.OneToOneField(
        Account, models.PROTECT, primary_key=True, related_name="+"
    )
    posted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"consumption posted at {self.posted_at}"
