"""Purchase policies: how much credit may be bought, and when Butler buys by itself."""

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field
from treasury.models.payees import Payee
from treasury.models.two_persons import TwoPersons

# What two persons decide together.
TERMS = (
    *("payee_id", "threshold", "target", "per_purchase_max", "daily_max", "monthly_max"),
    *("approval_above", "cool_off_seconds", "declines_max", "quiet_from", "quiet_until"),
    *("zone", "is_automatic"),
)


class PurchasePolicy(TwoPersons):
    """The bounds of all purchases of one provider's credit, whoever asks for them.

    Butler buys by itself if the policy `is_automatic`: when the credit, with what is under way,
    falls below `threshold`, it buys up to `target`. `is_armed`: the credit has been at or above the
    threshold, or the last purchase has ended, since Butler bought last. Each attempt spends the
    cool-off (`next_at`), which doubles with each decline in a row; after `declines_max` of them the
    policy is paused until a person resumes it.
    """

    credit_account = models.OneToOneField(
        Account, models.PROTECT, primary_key=True, related_name="purchase_policy"
    )
    payee = models.ForeignKey(Payee, models.PROTECT, related_name="+")
    threshold = amount_field(help_text="Butler buys when there is less credit than this.")
    target = amount_field(help_text="How much credit there is after a purchase.")
    per_purchase_max = amount_field(help_text="The most that one purchase may cost.")
    daily_max = amount_field(help_text="The most that the purchases of a day may cost.")
    monthly_max = amount_field(help_text="The most that the purchases of a month may cost.")
    approval_above = amount_field(
        help_text="A purchase that costs more than this needs a second person."
    )
    cool_off_seconds = models.PositiveIntegerField(
        validators=[MinValueValidator(60)],
        help_text="How long Butler waits after an attempt before it buys again by itself.",
    )
    declines_max = models.PositiveSmallIntegerField(
        default=4, help_text="After how many declines in a row the policy is paused."
    )
    quiet_from = models.TimeField(null=True, blank=True, help_text="When the quiet hours begin.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="When the quiet hours end.")
    zone = models.CharField(max_length=64, default="UTC", help_text="The zone of days and hours.")
    is_automatic = models.BooleanField(help_text="Whether Butler buys by itself.")
    is_armed = models.BooleanField(default=True)
    declines = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(max_length=300, blank=True)
    changed_at = models.DateTimeField()

    class Meta(TwoPersons.Meta):
        ordering = ["credit_account"]
        verbose_name_plural = "purchase policies"
        constraints = [
            *TwoPersons.Meta.constraints,
            models.CheckConstraint(
                condition=Q(threshold__gte=0, target__gt=F("threshold")),
                name="purchasepolicy_target_is_above_threshold",
            ),
            models.CheckConstraint(
                condition=Q(
                    per_purchase_max__gt=0,
                    per_purchase_max__lte=F("daily_max"),
                    daily_max__lte=F("monthly_max"),
                ),
                name="purchasepolicy_bounds_contain_each_other",
            ),
            models.CheckConstraint(
                condition=Q(approval_above__gte=0), name="purchasepolicy_approval_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cool_off_seconds__gte=60, declines_max__gte=1),
                name="purchasepolicy_waits_and_stops",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="purchasepolicy_quiet_hours_begin_and_end",
            ),
            models.CheckConstraint(
                condition=Q(paused_at=None, paused_reason="")
                | Q(~Q(paused_reason=""), paused_at__isnull=False),
                name="purchasepolicy_paused_says_why",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="purchasepolicy_changes_by_approval",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    f"ROW({', '.join(f'OLD.{term}' for term in TERMS)})"
                    f" IS DISTINCT FROM ROW({', '.join(f'NEW.{term}' for term in TERMS)})"
                    " AND OLD.approval_id = NEW.approval_id"
                ),
            ),
            pgtrigger.Protect(name="purchasepolicy_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("purchasepolicy_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"policy of {self.credit_account_id}"
