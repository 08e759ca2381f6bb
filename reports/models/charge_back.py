"""Charge-back: how shared costs are split, mark-ups, and what of it a closed month has frozen."""

from typing import Any

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from common.money_fields import quantity
from keys.models import CostCentre
from reports.models.month_closes import MonthClose, only_while_open

PERCENT_MIN, PERCENT_MAX = -100, 1000


def _percent(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=7, decimal_places=3, **options)


class CostShare(models.Model):
    """How the costs of a shared cost centre, or of the unallocated bucket, are split.

    `source` None is the bucket. A source without targets gives all that it cost to the bucket.
    """

    class Method(models.TextChoices):
        """By what the parts are computed."""

        FIXED = "fixed", "fixed shares"
        USE = "use", "by use"
        EVEN = "even", "even"

    source = models.ForeignKey(CostCentre, models.PROTECT, null=True, related_name="+")
    method = models.CharField(max_length=5, choices=Method)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source"], nulls_distinct=False, name="costshare_once_per_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source_id or 'unallocated'}: {self.get_method_display()}"


class CostShareTarget(models.Model):
    """A cost centre that takes a part; with its percent if shares are fixed."""

    share = models.ForeignKey(CostShare, models.CASCADE, related_name="targets")
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="+")
    percent = _percent(null=True)

    class Meta:
        ordering = ["cost_centre"]
        constraints = [
            models.UniqueConstraint(
                fields=["share", "cost_centre"], name="costsharetarget_once_per_cost_centre"
            ),
            models.CheckConstraint(
                condition=Q(percent=None) | Q(percent__gt=0, percent__lte=100),
                name="costsharetarget_percent_is_a_part",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cost_centre_id} {self.percent or ''}".strip()


class MarkUp(models.Model):
    """What is added to the costs of a cost centre, in percent; below zero it is a discount."""

    cost_centre = models.OneToOneField(CostCentre, models.PROTECT, related_name="+")
    percent = _percent(
        validators=[MinValueValidator(PERCENT_MIN), MaxValueValidator(PERCENT_MAX)],
    )

    class Meta:
        ordering = ["cost_centre"]
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__gte=PERCENT_MIN, percent__lte=PERCENT_MAX) & ~Q(percent=0),
                name="markup_percent_is_in_bounds",
            )
        ]

    def __str__(self) -> str:
        return f"{self.cost_centre_id} {self.percent:+f} %"


class CloseShare(models.Model):
    """What a cost centre took of the costs of another in a closed month, in USD.

    `source` or `target` blank is the unallocated bucket. The target had `weight` of `weights`.
    """

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="shares")
    source = models.CharField(max_length=64, blank=True)
    target = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=5, choices=CostShare.Method)
    weight = quantity()
    weights = quantity()
    amount = quantity()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["close", "source", "target"], name="closeshare_once_per_source_and_target"
            ),
            models.CheckConstraint(
                condition=Q(weight__gt=0, weights__gte=F("weight")),
                name="closeshare_weight_is_a_part",
            ),
        ]
        triggers = [
            row_triggers.append_only("closeshare_is_append_only"),
            only_while_open("closeshare_is_of_an_open_close"),
        ]

    def __str__(self) -> str:
        return f"{self.source or 'unallocated'} to {self.target or 'unallocated'}: {self.amount}"


class CloseMarkUp(models.Model):
    """The mark-up of a cost centre in a closed month: `amount` is `percent` of its `cost`."""

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="mark_ups")
    cost_centre = models.CharField(max_length=64)
    percent = _percent()
    cost = quantity()
    amount = quantity()

    class Meta:
        ordering = ["cost_centre"]
        constraints = [
            models.UniqueConstraint(
                fields=["close", "cost_centre"], name="closemarkup_once_per_cost_centre"
            )
        ]
        triggers = [
            row_triggers.append_only("closemarkup_is_append_only"),
            only_while_open("closemarkup_is_of_an_open_close"),
        ]

    def __str__(self) -> str:
        return f"{self.cost_centre} {self.percent:+f} %: {self.amount}"


_UNTIL_SIGNED = """
    IF (SELECT status FROM reports_monthclose WHERE id = NEW.close_id) <> 'locked' THEN
        RAISE EXCEPTION 'pgtrigger: the note of a statement is written before the month is signed';
    END IF;
    RETURN NEW;
"""


class StatementNote(models.Model):
    """A text for the readers of a statement. It is kept as it is once the month is signed."""

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="notes")
    cost_centre = models.CharField(max_length=64)
    text = models.CharField(max_length=1000)
    written_by = models.CharField(max_length=200)
    written_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["close", "cost_centre"], name="statementnote_once_per_statement"
            )
        ]
        triggers = [
            pgtrigger.Protect(name="statementnote_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="statementnote_until_signed",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=_UNTIL_SIGNED,
            ),
        ]

    def __str__(self) -> str:
        return self.text
