"""Transfers: money from one account to another, at once or in two phases."""

from django.db import models
from django.db.models import Q

from common import row_triggers
from security.audit_chain.triggers import queue_for_sealing
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field
from treasury.models.exchange_rates import ExchangeRate
from treasury.models.transfer_triggers import CHANGE_BALANCES, CHECK_TRANSFER, REFUSE_TRUNCATE


class TransferKind(models.TextChoices):
    """What a transfer is for."""

    OPENING = "opening", "what was there before the ledger began"
    FUNDING = "funding", "money from outside"
    PURCHASE = "purchase", "prepaid credit is bought"
    CONSUMPTION = "consumption", "calls use up credit"
    GRANT = "grant", "a provider gives credit, or credit that was bought has an end"
    DRAW = "draw", "credit that expires is used first"
    EXPIRY = "expiry", "credit has expired"
    FEE = "fee", "a fee of a rail"
    SERVICE = "service", "an agent pays a service"
    EXCHANGE = "exchange", "one side of an exchange of currencies"
    OWN = "own", "money moves between the organisation's own accounts"
    ROUNDING = "rounding", "what rounding leaves"
    REVERSAL = "reversal", "money comes back"
    ADJUSTMENT = "adjustment", "a person corrects the ledger"


class Phase(models.TextChoices):
    """What a transfer does to the balances of its accounts."""

    SINGLE = "single", "posted at once"
    PENDING = "pending", "set aside, until another transfer ends it"
    POST = "post", "posts a pending transfer, wholly or in part"
    VOID = "void", "gives a pending transfer back"
    EXPIRE = "expire", "gives a pending transfer back, because its time is over"


class Transfer(models.Model):
    """One debit and one credit of the same amount; a row that is never changed.

    pending ──post────▶ posted     `amount` of the new row counts; the rest is free again
       ├──────void────▶ nothing
       └──────expire──▶ nothing    at or after `expires_at`

    Each way out is a new row that names the pending one in `pending_of`, which is unique, so a
    pending transfer ends once. Transfers that belong together have the same `journal`.
    `effective_on` is the day that a transfer belongs to, `created_at` when the ledger learnt of it.
    """

    journal = models.UUIDField(help_text="What transfers have in common that belong together.")
    debit = models.ForeignKey(Account, models.PROTECT, related_name="+")
    credit = models.ForeignKey(Account, models.PROTECT, related_name="+")
    currency = models.CharField(max_length=5, help_text="That of both accounts.")
    amount = amount_field(help_text="What moves from the credited to the debited account.")
    kind = models.CharField(max_length=12, choices=TransferKind, help_text="What it is for.")
    phase = models.CharField(
        max_length=7, choices=Phase, default=Phase.SINGLE, help_text="What it does to balances."
    )
    pending_of = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="ended_by", help_text="What it ends."
    )
    expires_at = models.DateTimeField(null=True, help_text="When a pending transfer expires.")
    corrects = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="corrections", help_text="What it corrects."
    )
    rate = models.ForeignKey(
        ExchangeRate,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="Of an exchange: the rate that it is compared with.",
    )
    effective_on = models.DateField(help_text="The day it belongs to.")
    reference = models.CharField(
        max_length=200, blank=True, db_default="", help_text="How the other side names it."
    )
    idempotency_key = models.CharField(
        max_length=255, unique=True, help_text="Two transfers never have the same one."
    )
    recorded_by = models.CharField(max_length=200, help_text="Who recorded it.")
    created_at = models.DateTimeField(help_text="When the ledger learnt of it.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_moves_something"),
            models.CheckConstraint(
                condition=~Q(debit=models.F("credit")), name="transfer_has_two_accounts"
            ),
            models.CheckConstraint(
                condition=Q(phase__in=["single", "pending"], pending_of__isnull=True)
                | Q(phase__in=["post", "void", "expire"], pending_of__isnull=False),
                name="transfer_ends_a_pending_one",
            ),
            models.CheckConstraint(
                condition=Q(phase="pending", expires_at__isnull=False)
                | ~Q(phase="pending") & Q(expires_at__isnull=True),
                name="transfer_expires_if_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["debit", "effective_on"], name="transfer_by_debit"),
            models.Index(fields=["credit", "effective_on"], name="transfer_by_credit"),
            models.Index(fields=["journal"], name="transfer_by_journal"),
            # For treasury.jobs.expire_pending_transfers.
            models.Index(
                fields=["expires_at"], condition=Q(phase="pending"), name="transfer_by_expiry"
            ),
        ]
        triggers = [
            CHECK_TRANSFER,
            CHANGE_BALANCES,
            row_triggers.append_only("transfer_is_append_only"),
            REFUSE_TRUNCATE,
            queue_for_sealing("transfer_is_sealed", source="transfer"),
        ]

    def __str__(self) -> str:
        return f"transfer {self.pk}"
