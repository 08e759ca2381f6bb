"""Adjustments of settled charges, and the usage that charges and adjustments add up to."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from common.money_fields import usd
from keys.books.models.allocations import Allocation, Charge
from keys.supply.models import ApiKey
from security.audit_chain.triggers import queue_for_sealing


class UsageCounts(models.Model):
    """The counts of a charge, or the differences that an adjustment adds to them.

    Which counts are parts of others: see `Charge`.
    """

    input_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    cache_write_long_tokens = models.BigIntegerField()
    audio_input_tokens = models.BigIntegerField()
    image_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    audio_output_tokens = models.BigIntegerField()
    image_output_tokens = models.BigIntegerField()
    web_searches = models.IntegerField()
    tokens = models.BigIntegerField()
    cost = usd()

    class Meta:
        abstract = True


# What a charge counts for, and adjustments change.
FIGURES = [field.name for field in UsageCounts._meta.local_fields]


_HAS_CHARGE = """
    IF NOT EXISTS (SELECT FROM keys_charge WHERE id = NEW.charge_id) THEN
        RAISE EXCEPTION 'Charge % does not exist.', NEW.charge_id
              USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
"""


class Adjustment(UsageCounts):
    """A correction of a settled charge: what to add to its figures, below zero to reduce them.

    The charge keeps the figures of its settlement. A charge with adjustments counts for the sum of
    its own figures and theirs, at the time of its settlement. `allocation`, `api_key`, `model` and
    `settled_at` are those of the charge, so that sums of usage need no join.
    """

    # Without a constraint, because charges move to partitions; `adjustment_has_its_charge` instead.
    charge = models.ForeignKey(
        Charge, models.PROTECT, related_name="adjustments", db_constraint=False
    )
    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    settled_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    adjusted_by = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null is "none", unique
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["charge", "idempotency_key"], name="adjustment_once_per_idempotency_key"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="adjustment_has_a_reason"),
        ]
        indexes = [models.Index(fields=["settled_at"], name="adjustment_by_settlement")]
        triggers = [
            row_triggers.append_only("adjustment_is_append_only"),
            queue_for_sealing("adjustment_is_sealed", source="adjustment"),
            pgtrigger.Trigger(
                name="adjustment_has_its_charge",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=_HAS_CHARGE,
            ),
        ]

    def __str__(self) -> str:
        return f"adjustment {self.pk} of charge {self.charge_id}"


class SettledUsage(UsageCounts):
    """The view `keys_settled_usage`: a row for each charge and each adjustment.

    Sums over the `status` settled are what calls have used. An adjustment counts at the time of its
    charge's settlement, and is not a call (`calls` is 0); `known_at` is when it was made. Charges
    that are not settled have rows, too, because PostgreSQL uses the indexes of the tables only if
    the view has no conditions.
    """

    charge = models.OneToOneField(Charge, models.DO_NOTHING, primary_key=True, related_name="+")
    allocation = models.ForeignKey(Allocation, models.DO_NOTHING, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.DO_NOTHING, related_name="+")
    model = models.CharField(max_length=200)
    status = models.CharField(max_length=8)
    settled_at = models.DateTimeField()
    calls = models.IntegerField()
    provider_cost = usd(null=True)
    known_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "keys_settled_usage"

    def __str__(self) -> str:
        return f"usage of charge {self.pk}"
