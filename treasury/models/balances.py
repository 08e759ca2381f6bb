"""Balances as providers tell them: how they are read, and what was read."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from keys.models import ApiKey, Provider
from security.fields import SealedField
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field


class BalanceAccess(models.Model):
    """How the balance of a credit is read: the address, and the secret that is sent there.

    Either a secret of its own (a key for administrators, sealed) or that of an API key. The
    simulator needs neither. The address never changes without the secret, so nobody gets the
    secret by changing the address.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credit_account = models.OneToOneField(
        Account, models.PROTECT, related_name="balance_access", help_text="The provider's credit."
    )
    format = models.CharField(max_length=40, help_text="How the provider's answer is read.")
    base_url = models.URLField(blank=True, help_text="Where the provider is asked.")
    team = models.CharField(
        max_length=100, blank=True, help_text="The provider's id of the team, if it needs one."
    )
    sealed = SealedField(bound_to="id", null=True)
    api_key = models.ForeignKey(
        ApiKey,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="The API key whose secret is used.",
    )
    set_by = models.CharField(max_length=200, help_text="Who set it.")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sealed=None) | Q(api_key=None), name="balanceaccess_has_one_secret"
            ),
        ]

    def __str__(self) -> str:
        return f"balance of {self.credit_account_id}"


class BalanceSnapshot(models.Model):
    """What a provider said about a credit at a moment, in one currency, beside the ledger's figure.

    `error`: nothing could be read, and why. `ledger` is the credit by the ledger at that moment
    with what expires, `in_transit` what was paid and is not seen as credit; both only in USD.
    """

    credit_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    api_key = models.CharField(
        max_length=64, blank=True, help_text="The API key that it was read with, if any."
    )
    source = models.CharField(max_length=40, help_text="The format that was read.")
    as_of = models.DateTimeField(help_text="When the provider said it.")
    currency = models.CharField(max_length=5, blank=True)
    amount = amount_field(null=True, help_text="What the provider says.")
    granted = amount_field(null=True, help_text="What of it was given and expires.")
    ledger = amount_field(null=True, help_text="What the ledger had.")
    in_transit = amount_field(null=True, help_text="What was paid and was not credit.")
    error = models.CharField(max_length=300, blank=True)
    content = models.BinaryField(help_text="The answer as it came.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(error="", amount__isnull=False, granted__isnull=False) & ~Q(currency="")
                | ~Q(error="") & Q(amount=None),
                name="balancesnapshot_has_an_amount_or_an_error",
            ),
        ]
        indexes = [
            models.Index(fields=["credit_account", "-id"], name="balancesnapshot_by_credit"),
        ]
        triggers = [
            row_triggers.append_only("balancesnapshot_is_append_only"),
            row_triggers.not_truncated("balancesnapshot_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"balance of {self.credit_account_id} at {self.as_of:%Y-%m-%d %H:%M}"


class ExpiringCredit(models.Model):
    """Credit that ends at a moment: an account of its own, which is used before all other credit.

    What it pays for moves from it to the provider's credit as consumption is posted, the credit
    that ends first at first. At `expires_at` what is left is posted as expired.
    """

    account = models.OneToOneField(
        Account, models.PROTECT, primary_key=True, related_name="expiring"
    )
    credit_account = models.ForeignKey(Account, models.PROTECT, related_name="expiring_credits")
    amount = amount_field(help_text="How much it was at first.")
    expires_at = models.DateTimeField()
    is_granted = models.BooleanField(
        help_text="Whether the provider gave it; otherwise it was bought, and is in the credit."
    )
    reference = models.CharField(max_length=200, help_text="How the provider names it.")
    recorded_by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When the rest was posted as expired.")

    class Meta:
        ordering = ["expires_at", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="expiringcredit_is_something"),
        ]
        triggers = [
            row_triggers.write_once(
                "expiringcredit_keeps_its_terms",
                *("account", "credit_account", "amount", "expires_at", "is_granted", "reference"),
                *("recorded_by", "recorded_at"),
            ),
            pgtrigger.Protect(name="expiringcredit_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("expiringcredit_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} until {self.expires_at:%Y-%m-%d}"
