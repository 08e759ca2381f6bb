"""Closed months: frozen totals and lines, who signed them, and what may still change them."""

from typing import Self

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Func, Q

from common import row_triggers
from common.money_fields import quantity, usd
from keys.models import Placement
from security.models import Approval

_STANDING = ~Q(status="reopened")


class ClosedUsage(models.Model):
    """Sums of usage that are frozen, in tokens and US dollars.

    `cached_tokens` and `cache_write_tokens` are among the `input_tokens`, `reasoning_tokens` among
    the `output_tokens`. Corrections may be below zero.
    """

    calls = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost = quantity(default=0)
    provider_cost = quantity(default=0)
    estimated_cost = quantity(default=0)

    class Meta:
        abstract = True


# What lines of closed months add up.
CLOSED_MEASURES = [field.name for field in ClosedUsage._meta.local_fields]


class MonthCloseQuerySet(models.QuerySet["MonthClose"]):
    """Filters of closed months."""

    def standing(self) -> Self:
        """Closes that count: those that were not reopened."""
        return self.filter(_STANDING)


def _frozen(*columns: str) -> pgtrigger.Condition:
    """That a row which is closed gets another value in one of the columns."""
    old, new = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    return pgtrigger.Condition(f"OLD.status <> 'open' AND ({old}) IS DISTINCT FROM ({new})")


def _signature(number: str) -> pgtrigger.Condition:
    names = [f"{number}_signed_{each}" for each in ("by", "persons", "at")]
    old, new = (", ".join(f"{row}.{name}" for name in names) for row in ("OLD", "NEW"))
    return pgtrigger.Condition(
        f"OLD.{number}_signed_at IS NOT NULL AND ({old}) IS DISTINCT FROM ({new})"
    )


class MonthClose(ClosedUsage):
    """A month of the books that was closed: its figures never change again.

    open ──lock──▶ locked ──sign──▶ locked ──sign──▶ signed
                     │   by one person   by another    │
                     └──────reopen by an approval──────┴──▶ reopened

    A row is open only within the transaction that locks it. The period `[starts_at, ends_at)`
    begins where the close before ended, also if the reporting zone has changed since, so each
    moment is in one period. The figures are those of its lines. `adjusted_…` are what adjustments
    of the month added up to when it was locked: with them, the present figures are counted again.
    `unallocated` is the part of the cost that no statement has, with the reason.
    A reopened close keeps its lines and counts no more; the month can be closed by another row.
    """

    class Status(models.TextChoices):
        """Where the close stands."""

        OPEN = "open"
        LOCKED = "locked"
        SIGNED = "signed"
        REOPENED = "reopened"

    month = models.DateField(help_text="The first day of the month.")
    zone = models.CharField(max_length=64, help_text="The reporting zone when it was locked.")
    fiscal_year_began = models.DateField(
        null=True,
        help_text="The first day of the fiscal year that the month was in when it was locked. "
        "Blank: it was locked before statements had an opening amount.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    checklist = models.JSONField(
        encoder=DjangoJSONEncoder,
        help_text="Each item of the checklist as it was, with the reason if it was waived.",
    )
    locked_by = models.CharField(max_length=200)
    locked_at = models.DateTimeField()
    adjusted_tokens = models.BigIntegerField(default=0)
    adjusted_cost = quantity(default=0)
    unallocated = quantity(default=0)
    unallocated_reason = models.CharField(max_length=300, blank=True)
    first_signed_by = models.CharField(max_length=200, blank=True)
    first_signed_persons = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, editable=False
    )
    first_signed_at = models.DateTimeField(null=True, blank=True)
    second_signed_by = models.CharField(max_length=200, blank=True)
    second_signed_persons = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, editable=False
    )
    second_signed_at = models.DateTimeField(null=True, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopening = models.OneToOneField(
        Approval, models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = MonthCloseQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-pk"]
        permissions = [
            ("lock_monthclose", "Can lock a month, and ask to reopen it"),
            ("sign_monthclose", "Can sign a month"),
            ("reopen_monthclose", "Can decide that a month is reopened"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["month"], condition=_STANDING, name="monthclose_once_per_month"
            ),
            ExclusionConstraint(
                name="monthclose_periods_do_not_overlap",
                expressions=[
                    (
                        Func(
                            F("starts_at"),
                            F("ends_at"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    )
                ],
                condition=_STANDING,
            ),
            models.CheckConstraint(
                condition=Q(unallocated=0) | ~Q(unallocated_reason=""),
                name="monthclose_unallocated_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(month__day=1), name="monthclose_month_begins_on_its_first_day"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="monthclose_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(second_signed_at=None)
                | Q(first_signed_at__isnull=False)
                & ~Q(first_signed_persons__overlap=F("second_signed_persons"))
                & ~Q(first_signed_persons__len=0)
                & ~Q(second_signed_persons__len=0),
                name="monthclose_is_signed_by_two_persons",
            ),
            models.CheckConstraint(
                condition=~Q(status="signed") | Q(second_signed_at__isnull=False),
                name="monthclose_signed_has_two_signatures",
            ),
            models.CheckConstraint(
                condition=Q(status="reopened", reopening__isnull=False, reopened_at__isnull=False)
                | Q(_STANDING, reopening=None, reopened_at=None),
                name="monthclose_reopened_says_by_what",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="monthclose_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="monthclose_keeps_its_figures",
                operation=pgtrigger.Update,
                condition=_frozen(
                    *CLOSED_MEASURES,
                    *("month", "zone", "fiscal_year_began", "starts_at", "ends_at"),
                    *("checklist", "locked_by"),
                    *("locked_at", "adjusted_tokens", "adjusted_cost"),
                    *("unallocated", "unallocated_reason"),
                ),
            ),
            pgtrigger.Protect(
                name="monthclose_goes_one_way",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.status = 'reopened' OR OLD.status <> 'open' AND NEW.status = 'open'"
                    " OR OLD.status = 'signed' AND NEW.status = 'locked'"
                ),
            ),
            pgtrigger.Protect(
                name="monthclose_keeps_its_first_signature",
                operation=pgtrigger.Update,
                condition=_signature("first"),
            ),
            pgtrigger.Protect(
                name="monthclose_keeps_its_second_signature",
                operation=pgtrigger.Update,
                condition=_signature("second"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"

    @property
    def name(self) -> str:
        """The month in words, such as `October 2026`."""
        return f"{self.month:%B %Y}"

    @property
    def slug(self) -> str:
        """The month in addresses, such as `2026-10`."""
        return f"{self.month:%Y-%m}"

    @property
    def address(self) -> str:
        """The month's name in the audit: all its closes have the same."""
        return f"month:{self.slug}"

    @property
    def is_standing(self) -> bool:
        """Whether it counts: it is locked or signed."""
        return self.status in (self.Status.LOCKED, self.Status.SIGNED)


_ONLY_WHILE_OPEN = """
    IF (SELECT status FROM reports_monthclose WHERE id = NEW.close_id) <> 'open' THEN
        RAISE EXCEPTION 'pgtrigger: a closed month takes no more lines';
    END IF;
    RETURN NEW;
"""


def only_while_open(name: str) -> pgtrigger.Trigger:
    """A trigger: rows of a close are added while it is being locked, and never later."""
    return pgtrigger.Trigger(
        name=name, operation=pgtrigger.Insert, when=pgtrigger.Before, func=_ONLY_WHILE_OPEN
    )


class CloseLine(ClosedUsage):
    """The usage of a day that a closed month counts, in the finest groups that slices have.

    `corrects` None: usage of the month itself. Otherwise: what the figures of an earlier closed
    month had changed by when this one was locked; the `day` is the one that changed. Names are
    those of the moment, and `model` may be blank, as in slices: `model_name` never is. `placement`
    is where the cost centre was in the tree when it paid.
    """

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="lines")
    corrects = models.ForeignKey(MonthClose, models.PROTECT, null=True, related_name="corrections")
    day = models.DateField(help_text="The day in the zone of the month that the usage is of.")
    provider = models.CharField(max_length=200)
    api_key = models.CharField(max_length=64)
    agent = models.CharField(max_length=64)
    cost_centre = models.CharField(max_length=64)
    placement = models.ForeignKey(Placement, models.PROTECT, related_name="+")
    cost_centre_name = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    model_name = models.CharField(max_length=200)
    label = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("close", "cost_centre", "corrects", "day", "agent", "api_key"),
                    *("model", "label", "placement"),
                ],
                nulls_distinct=False,
                name="closeline_once_per_day_and_group",
            ),
            models.CheckConstraint(
                condition=Q(corrects=None) | ~Q(corrects=F("close")),
                name="closeline_corrects_another_month",
            ),
        ]
        triggers = [
            row_triggers.append_only("closeline_is_append_only"),
            only_while_open("closeline_is_of_an_open_close"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.model_name} by {self.agent} for {self.cost_centre}"


class OpenEstimate(models.Model):
    """A charge of a closed month that the provider's late answer can still correct in place.

    It has the figures that the close counted, so that the correction can be told from an error.
    """

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="open_estimates")
    charge_id = models.BigIntegerField()
    tokens = models.BigIntegerField()
    cost = usd()

    class Meta:
        ordering = ["charge_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["close", "charge_id"], name="openestimate_once_per_charge"
            )
        ]
        triggers = [
            row_triggers.append_only("openestimate_is_append_only"),
            only_while_open("openestimate_is_of_an_open_close"),
        ]

    def __str__(self) -> str:
        return f"estimate of charge {self.charge_id}"
