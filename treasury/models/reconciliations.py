"""Runs that compare the books with providers' reports, and the differences they find."""

from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from keys.models import Provider
from treasury.models.accounts import Account
from treasury.models.rail_statements import RailStatement, RailStatementLine
from treasury.models.transfers import Transfer
from treasury.models.two_persons import persons_field

# What one person may adjust of a single charge, in USD; above it, a second one approves.
ALONE_MAX = 10

CHECK_ADJUSTMENT = pgtrigger.Trigger(
    name="difference_is_adjusted_by_two",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.status = 'adjusted'"),
    func=f"""
        IF TG_OP = 'UPDATE' AND OLD.status = 'adjusted' THEN
            RETURN NEW;
        END IF;
        IF (NEW.charge_id IS NULL OR abs(NEW.theirs - NEW.own) > {ALONE_MAX})
           AND (cardinality(NEW.approved_persons) = 0
                OR NEW.approved_persons && NEW.asked_persons) THEN
            RAISE check_violation USING CONSTRAINT = 'difference_is_adjusted_by_two',
                MESSAGE = format('difference_is_adjusted_by_two: difference %s needs a second '
                                 'person', NEW.id);
        END IF;
        RETURN NEW;
    """,
)


class ReconciliationRun(models.Model):
    """One comparison of a provider's reports with the charges of some UTC days."""

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    since = models.DateField(help_text="The first UTC day.")
    until = models.DateField(help_text="The last UTC day.")
    reports = models.JSONField(help_text="The reports whose lines were compared.")
    tolerance = models.DecimalField(
        max_digits=20, decimal_places=9, help_text="What may differ of a sum in USD."
    )
    tolerance_share = models.DecimalField(
        max_digits=9, decimal_places=6, help_text="What may differ of a sum, as a share of it."
    )
    own = models.DecimalField(
        max_digits=38, decimal_places=9, help_text="What the charges cost, in USD."
    )
    theirs = models.DecimalField(
        max_digits=38, decimal_places=12, help_text="What the provider reports in USD."
    )
    found = models.PositiveIntegerField(help_text="How many differences there are.")
    run_by = models.CharField(max_length=200)
    run_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gte=F("since")), name="reconciliationrun_ends_after_it_begins"
            ),
        ]
        triggers = [
            row_triggers.append_only("reconciliationrun_is_append_only"),
            row_triggers.not_truncated("reconciliationrun_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"reconciliation {self.pk} of {self.provider_id}"


class DifferenceStatus(models.TextChoices):
    """What has become of a difference."""

    OPEN = "open", "nobody has settled it"
    EXPLAINED = "explained", "a person knows why it is so"
    ADJUSTED = "adjusted", "the books or the ledger were corrected"
    ACCEPTED = "accepted", "it stays as it is"
    GONE = "gone", "a later comparison does not find it"


class Difference(models.Model):
    """Something that a provider bills otherwise than Butler metered it, or that the statement of a
    rail has otherwise than the ledger.

    open ──explain──▶ explained     open ──adjust──▶ adjusted     open ──accept──▶ accepted
      └──not found again──▶ gone ──found again──▶ open

    `fingerprint` tells differences apart: the same one found again is the same row, as it was
    settled. `run` is the last one that found it. A difference of a bill has a provider and a run;
    one of a rail has an account, and the statement, line and transfer that it is about.
    """

    provider = models.ForeignKey(Provider, models.PROTECT, null=True, related_name="+")
    fingerprint = models.BinaryField(max_length=32)
    run = models.ForeignKey(
        ReconciliationRun, models.PROTECT, null=True, related_name="differences"
    )
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="differences")
    statement = models.ForeignKey(
        RailStatement, models.PROTECT, null=True, related_name="differences"
    )
    line = models.ForeignKey(
        RailStatementLine, models.PROTECT, null=True, related_name="differences"
    )
    own_transfer = models.ForeignKey(Transfer, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=20)
    day = models.DateField(help_text="The UTC day.")
    api_key = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    their_key = models.CharField(
        max_length=200, blank=True, help_text="Of a difference of names: the provider's of the key."
    )
    their_model = models.CharField(
        max_length=200, blank=True, help_text="Of a difference of names: that of the model."
    )
    own = models.DecimalField(max_digits=38, decimal_places=9, help_text="By Butler, in USD.")
    theirs = models.DecimalField(max_digits=38, decimal_places=12, help_text="By the provider.")
    currency = models.CharField(max_length=5)
    evidence = models.CharField(max_length=500)
    request_id = models.CharField(max_length=200, blank=True)
    charge_id = models.BigIntegerField(null=True)
    status = models.CharField(
        max_length=10, choices=DifferenceStatus, default=DifferenceStatus.OPEN
    )
    reason = models.CharField(max_length=300, blank=True)
    settled_by = models.CharField(max_length=200, blank=True)
    settled_at = models.DateTimeField(null=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()
    found_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "fingerprint"], name="difference_is_one_row"
            ),
            models.UniqueConstraint(
                fields=["account", "fingerprint"], name="difference_of_a_rail_is_one_row"
            ),
            models.CheckConstraint(
                condition=Q(provider__isnull=False, run__isnull=False, account=None, statement=None)
                | Q(provider=None, run=None, account__isnull=False, statement__isnull=False),
                name="difference_is_of_a_bill_or_a_statement",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "gone"])
                | ~Q(reason="") & ~Q(settled_by="") & Q(settled_at__isnull=False),
                name="difference_is_settled_with_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["day"], condition=Q(status="open"), name="difference_open_by_day"),
            # For treasury.jobs.adjust_approved.
            models.Index(
                fields=["id"],
                condition=Q(status="open") & ~Q(approved_persons=[]),
                name="difference_to_adjust",
            ),
        ]
        triggers = [
            CHECK_ADJUSTMENT,
            row_triggers.write_once(
                "difference_keeps_what_was_found",
                *("provider", "fingerprint", "kind", "day", "api_key", "model", "own", "theirs"),
                *("currency", "evidence", "request_id", "charge_id", "found_at"),
                *("their_key", "their_model", "account", "statement", "line", "own_transfer"),
            ),
            pgtrigger.FSM(
                name="difference_goes_one_way",
                field="status",
                transitions=[
                    ("open", "explained"),
                    ("open", "adjusted"),
                    ("open", "accepted"),
                    ("open", "gone"),
                    ("gone", "open"),
                ],
            ),
            pgtrigger.Protect(name="difference_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("difference_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"difference {self.pk}"

    @property
    def amount(self) -> Decimal:
        """What the provider bills, or the rail has, more than Butler; below zero: less."""
        amount: Decimal = self.theirs - self.own
        return amount


class ProviderName(models.Model):
    """What a key or model of Butler is called in the reports of a provider."""

    class Kind(models.TextChoices):
        """What is named."""

        KEY = "key", "API key"
        MODEL = "model", "model"

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=5, choices=Kind)
    theirs = models.CharField(max_length=200, help_text="The name in the reports.")
    ours = models.CharField(max_length=200, help_text="The name in Butler.")
    reason = models.CharField(max_length=300)
    added_by = models.CharField(max_length=200)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["provider", "kind", "theirs"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "kind", "theirs"], name="providername_means_one_thing"
            ),
        ]
        triggers = [
            row_triggers.append_only("providername_is_append_only"),
            row_triggers.not_truncated("providername_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.theirs} is {self.ours}"
