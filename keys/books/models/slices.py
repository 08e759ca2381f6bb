"""Sums of usage: slices of 15 minutes, which settlements write, and days made from them."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from common.money_fields import quantity
from keys.books.models.adjustments import UsageCounts
from keys.identity.models.agents import Agent, CostCentre
from keys.identity.models.placements import Placement
from keys.supply.models import ApiKey


class UsageSums(UsageCounts):
    """What the charges of one slice or day add up to, with their adjustments.

    `calls` are settled charges. `released` and `expired` count holds that ended so, when they did;
    a late settlement takes nothing back from `expired`. `provider_cost` (USD) is of the
    `provider_calls`, those for which the provider reported a cost. `estimated_calls` were settled
    on an estimate and not adjusted since, `estimated_cost` is theirs.
    """

    calls = models.BigIntegerField()
    released = models.BigIntegerField()
    expired = models.BigIntegerField()
    overruns = models.BigIntegerField()
    # Wider than those of a charge: a sum must never overflow.
    web_searches = models.BigIntegerField()
    cost = quantity()
    provider_cost = quantity()
    provider_calls = models.BigIntegerField()
    estimated_calls = models.BigIntegerField()
    estimated_cost = quantity()

    class Meta:
        abstract = True


# What slices and days add up.
MEASURES = [field.name for field in UsageSums._meta.local_fields]


def _of_charges(to: type[models.Model]) -> "models.ForeignKey[Any, Any]":
    """A foreign key without a constraint: charges have it, so it need not be checked again."""
    return models.ForeignKey(
        to, models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )


class UsageSlice(UsageSums):
    """What was settled in 15 minutes on one key, by one agent of one cost centre, for one label.

    The statements that end and adjust charges add to it in the same transaction, so the slices are
    exact at every commit. A charge counts in the slice of its `settled_at`, also if it is changed
    later. `label` and `placement` are those of the allocation, `model` is that of the charge, which
    may be blank.
    """

    pk = models.CompositePrimaryKey(
        "starts_at", "api_key", "agent", "cost_centre", "label", "model", "placement"
    )
    starts_at = models.DateTimeField()
    api_key = _of_charges(ApiKey)
    agent = _of_charges(Agent)
    cost_centre = _of_charges(CostCentre)
    label = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=200, blank=True)
    placement = _of_charges(Placement)

    class Meta:
        triggers = [
            # A day is made an hour after its end at the earliest: see `sql.DUE`.
            pgtrigger.Trigger(
                name="usageslice_changes_late",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
                condition=pgtrigger.Condition(
                    "NEW.starts_at < clock_timestamp() - interval '45 minutes'"
                ),
                func="INSERT INTO keys_staleusage (starts_at) VALUES (NEW.starts_at); RETURN NULL;",
            )
        ]

    def __str__(self) -> str:
        return f"usage from {self.starts_at:%Y-%m-%d %H:%M}"


class UsageDay(UsageSums):
    """What the slices of one day of the reporting zone add up to, of all labels together.

    `keys.jobs.roll_up_usage` makes the days up to `UsageRollup.through`. A day with a
    `StaleUsage` counts no longer: its slices do, until the job makes it again.
    """

    pk = models.CompositePrimaryKey("day", "api_key", "agent", "cost_centre", "model", "placement")
    day = models.DateField()
    api_key = _of_charges(ApiKey)
    agent = _of_charges(Agent)
    cost_centre = _of_charges(CostCentre)
    model = models.CharField(max_length=200, blank=True)
    placement = _of_charges(Placement)

    def __str__(self) -> str:
        return f"usage of {self.day}"


class UsageRollup(models.Model):
    """The zone of the days of usage, and the last day that was made. There is at most one row."""

    is_only = models.BooleanField(primary_key=True, default=True)
    zone = models.CharField(max_length=64, default="UTC")
    through = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(is_only=True), name="usagerollup_is_one_row")
        ]

    def __str__(self) -> str:
        return f"days through {self.through} in {self.zone}"


class StaleUsage(models.Model):
    """A slice that changed long after its end, when its day may have been made already.

    `keys.jobs.roll_up_usage` makes the day again and deletes the row.
    """

    starts_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["starts_at"], name="staleusage_by_slice")]

    def __str__(self) -> str:
        return f"changed: {self.starts_at:%Y-%m-%d %H:%M}"
