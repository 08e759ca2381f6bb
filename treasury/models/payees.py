"""Payees: the list of those who may be paid."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from keys.models import Provider
from treasury.models.accounts import Account
from treasury.models.two_persons import TwoPersons

_EXCHANGED_SCALE = 2


class PurchaseMethod(models.TextChoices):
    """How credit is bought from a payee."""

    RAIL = "rail", "Butler pays by a rail"
    PERSON = "person", "a person pays and confirms it with the receipt"
    VENDOR = "vendor", "the provider reloads it by itself, and Butler books what it sees"


class Payee(TwoPersons):
    """Who may be paid for the credit of a provider, by which rail, and where.

    Two persons put a payee on the list. Its terms never change: another destination is another
    payee. `retired_at`: it may not be paid any more.
    """

    slug = models.SlugField(
        primary_key=True, max_length=64, help_text="The name of the payee. It cannot be changed."
    )
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    method = models.CharField(max_length=6, choices=PurchaseMethod, help_text="How it is paid.")
    rail = models.CharField(max_length=40, help_text="The rail whose money is used.")
    destination = models.CharField(
        max_length=200,
        help_text="How the rail names the payee; else the address of the provider's page.",
    )
    is_play_money = models.BooleanField(help_text="Whether the rail moves no real money.")
    rail_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    transit_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    credit_account = models.ForeignKey(Account, models.PROTECT, related_name="payees")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta(TwoPersons.Meta):
        ordering = ["slug"]
        constraints = [
            *TwoPersons.Meta.constraints,
            models.CheckConstraint(condition=~Q(destination=""), name="payee_has_a_destination"),
        ]
        triggers = [
            row_triggers.write_once(
                "payee_keeps_its_terms",
                *("slug", "provider", "method", "rail", "destination", "is_play_money"),
                *("rail_account", "transit_account", "credit_account", "approval"),
                *("asked_persons", "approved_persons"),
            ),
            pgtrigger.Protect(name="payee_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("payee_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_exchanged(self) -> bool:
        """Whether the rail pays in another currency than the credit is in."""
        return self.rail_account.currency != self.credit_account.currency

    @property
    def scale(self) -> int:
        """With how many decimal places credit is bought: cents where the rail's amount follows."""
        return _EXCHANGED_SCALE if self.is_exchanged else self.rail_account.scale
