"""Accounts: where money is, in one currency each."""

from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from treasury.models.amounts import PLACES, amount_field


class AccountKind(models.TextChoices):
    """What an account stands for."""

    RAIL = "rail", "money on a rail, such as a Stripe balance"
    TRANSIT = "transit", "money that has left a rail and is not yet seen as credit"
    CREDIT = "credit", "prepaid credit with a provider"
    EXPIRING = "expiring", "prepaid credit that ends on a day, and is used first"
    EXPIRED = "expired", "credit that ended before it was used"
    EXPENSE = "expense", "what a cost centre has consumed"
    FEES = "fees", "fees of rails"
    EXCHANGE = "exchange", "the two sides of an exchange of currencies"
    EXCHANGE_DIFFERENCE = "exchange_difference", "gains and losses of exchanges"
    ROUNDING = "rounding", "what rounding to the places of a rail leaves"
    FUNDING = "funding", "money from outside"
    OPENING = "opening", "what was there before the ledger began"
    UNEXPLAINED = "unexplained", "differences that nobody has explained yet"


class NormalSide(models.TextChoices):
    """The side on which an account grows: assets and expenses by debits, sources by credits."""

    DEBIT = "debit"
    CREDIT = "credit"


class Account(models.Model):
    """Where money is, or what it was spent on, in one currency.

    The four balances are the sums of the account's transfers. The trigger of transfers changes
    them in the statement that writes the transfers, and `check_ledger` counts them again.
    A debit is an increase of an account whose `normal_side` is debit.
    """

    name = models.CharField(
        max_length=200,
        unique=True,
        help_text="What it is, such as rail:stripe or expense:research.",
    )
    kind = models.CharField(max_length=20, choices=AccountKind, help_text="What it stands for.")
    currency = models.CharField(
        max_length=5, help_text="The code of its currency, such as USD or USDC."
    )
    scale = models.PositiveSmallIntegerField(
        default=PLACES, help_text="How many decimal places its amounts may have."
    )
    normal_side = models.CharField(
        max_length=6, choices=NormalSide, help_text="The side on which it grows."
    )
    may_overdraw = models.BooleanField(
        default=False, help_text="Whether more may leave the account than is on it."
    )
    debits_posted = amount_field(default=0)
    credits_posted = amount_field(default=0)
    debits_pending = amount_field(default=0)
    credits_pending = amount_field(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            # What transfers refer to, so that one cannot mix currencies.
            models.UniqueConstraint(fields=["id", "currency"], name="account_in_one_currency"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3,5}$"), name="account_currency_is_a_code"
            ),
            models.CheckConstraint(condition=Q(scale__lte=PLACES), name="account_scale_fits"),
            models.CheckConstraint(
                condition=Q(
                    debits_posted__gte=0,
                    credits_posted__gte=0,
                    debits_pending__gte=0,
                    credits_pending__gte=0,
                ),
                name="account_sums_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(may_overdraw=True)
                | Q(
                    normal_side=NormalSide.DEBIT,
                    debits_posted__gte=F("credits_posted") + F("credits_pending"),
                )
                | Q(
                    normal_side=NormalSide.CREDIT,
                    credits_posted__gte=F("debits_posted") + F("debits_pending"),
                ),
                name="account_is_not_overdrawn",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "account_keeps_its_terms", "name", "kind", "currency", "scale", "normal_side"
            ),
            pgtrigger.Protect(name="account_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("account_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def balance(self) -> Decimal:
        """What is on the account: what was posted on its normal side less what was on the other."""
        debit: Decimal = self.debits_posted - self.credits_posted
        return debit if self.normal_side == NormalSide.DEBIT else -debit

    @property
    def available(self) -> Decimal:
        """The balance less what pending transfers may still take."""
        outgoing: Decimal = (
            self.credits_pending if self.normal_side == NormalSide.DEBIT else self.debits_pending
        )
        return self.balance - outgoing
