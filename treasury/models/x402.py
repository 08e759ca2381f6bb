"""x402: what agents may pay to services, and each payment that was signed."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from keys.models import Agent
from treasury.models.amounts import amount_field
from treasury.models.rail_accounts import RailAccount
from treasury.models.transfers import Transfer
from treasury.models.two_persons import TwoPersons
from treasury.rails.x402.messages import HEADERS

_TERMS = ("rail_id", "per_payment_max", "daily_max", "monthly_max", "payees")


class X402Allowance(TwoPersons):
    """What an agent may pay to services by x402, in US dollars, and to whom; two persons set it.

    USDC counts as US dollars. Days and months are those of UTC. What was signed counts at its full
    amount until it has expired unused.
    """

    agent = models.OneToOneField(
        Agent, models.PROTECT, primary_key=True, related_name="x402_allowance"
    )
    rail = models.ForeignKey(
        RailAccount, models.PROTECT, related_name="+", help_text="The wallet that signs."
    )
    per_payment_max = amount_field(help_text="The most that one payment may cost.")
    daily_max = amount_field(help_text="The most that the payments of a day may cost.")
    monthly_max = amount_field(help_text="The most that the payments of a month may cost.")
    payees: "ArrayField[list[str], list[str]]" = ArrayField(
        models.CharField(max_length=42), help_text="The addresses that may be paid."
    )
    changed_at = models.DateTimeField()

    class Meta(TwoPersons.Meta):
        ordering = ["agent"]
        constraints = [
            *TwoPersons.Meta.constraints,
            models.CheckConstraint(
                condition=Q(
                    per_payment_max__gt=0,
                    per_payment_max__lte=F("daily_max"),
                    daily_max__lte=F("monthly_max"),
                ),
                name="x402allowance_bounds_contain_each_other",
            ),
            models.CheckConstraint(
                condition=~Q(payees__len=0), name="x402allowance_names_its_payees"
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="x402allowance_changes_by_approval",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    f"ROW({', '.join(f'OLD.{term}' for term in _TERMS)})"
                    f" IS DISTINCT FROM ROW({', '.join(f'NEW.{term}' for term in _TERMS)})"
                    " AND OLD.approval_id = NEW.approval_id"
                ),
            ),
            pgtrigger.Protect(name="x402allowance_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("x402allowance_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"allowance of {self.pk}"


class X402Status(models.TextChoices):
    """Where a payment stands."""

    SIGNED = "signed", "signed, and set aside"
    SETTLED = "settled", "the service says that it was paid"
    EXPIRED = "expired", "not used in time: the money is free again"


# What counts for the bounds: all that was or may be paid.
COUNTED = (X402Status.SIGNED, X402Status.SETTLED)

CHECK_ALLOWANCE = pgtrigger.Trigger(
    name="x402payment_is_within_its_allowance",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[
        ("allowance", "treasury_x402allowance"),
        ("of_day", "numeric"),
        ("of_month", "numeric"),
    ],
    func="""
        SELECT * INTO allowance FROM treasury_x402allowance
         WHERE agent_id = NEW.agent_id FOR NO KEY UPDATE;
        SELECT coalesce(sum(amount) FILTER (
                   WHERE (signed_at AT TIME ZONE 'UTC')::date
                         = (NEW.signed_at AT TIME ZONE 'UTC')::date), 0),
               coalesce(sum(amount), 0)
          INTO of_day, of_month
          FROM treasury_x402payment
         WHERE agent_id = NEW.agent_id AND status IN ('signed', 'settled')
           AND date_trunc('month', signed_at AT TIME ZONE 'UTC')
               = date_trunc('month', NEW.signed_at AT TIME ZONE 'UTC');
        IF allowance.agent_id IS NULL OR NOT NEW.pay_to = ANY (allowance.payees)
           OR NEW.rail_id <> allowance.rail_id OR NEW.amount > allowance.per_payment_max
           OR of_day + NEW.amount > allowance.daily_max
           OR of_month + NEW.amount > allowance.monthly_max THEN
            RAISE check_violation USING CONSTRAINT = 'x402payment_is_within_its_allowance',
                MESSAGE = format('x402payment_is_within_its_allowance: %s to %s',
                                 NEW.amount, NEW.pay_to);
        END IF;
        IF NOT EXISTS (SELECT FROM treasury_railaccount
                        WHERE slug = NEW.rail_id AND enabled_at IS NOT NULL
                          AND mode = 'sandbox') THEN
            RAISE check_violation USING CONSTRAINT = 'x402payment_rail_is_on',
                MESSAGE = 'x402payment_rail_is_on: the wallet is switched off';
        END IF;
        RETURN NEW;
    """,
)


class X402Payment(models.Model):
    """A payment of an agent to a service, signed once.

    signed ──receipt──▶ settled
      └─────expire────▶ expired ──receipt──▶ settled   a receipt that comes late is true, too

    `header` is what the agent sends to the service: it is written once, and the same request gets
    the same bytes. `asked` is the 402 as it came. `pending` sets the amount aside until the
    signature counts no more.
    """

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="+")
    rail = models.ForeignKey(RailAccount, models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=255)
    asked = models.TextField(help_text="The 402 as it came.")
    asked_sha256 = models.CharField(max_length=64)
    resource = models.CharField(max_length=500, help_text="What is paid for.")
    version = models.PositiveSmallIntegerField(help_text="The version of x402.")
    network = models.CharField(max_length=40)
    pay_to = models.CharField(max_length=42, help_text="The address that is paid.")
    amount = amount_field(help_text="In USDC.")
    payer = models.CharField(max_length=42, help_text="The address of the wallet.")
    nonce = models.CharField(
        max_length=66, unique=True, help_text="The blockchain carries it out once."
    )
    header = models.TextField(help_text="What the agent sends to the service.")
    status = models.CharField(max_length=7, choices=X402Status, default=X402Status.SIGNED)
    pending = models.OneToOneField(Transfer, models.PROTECT, related_name="+")
    transaction = models.CharField(
        max_length=200, blank=True, help_text="The transaction on the blockchain, by the receipt."
    )
    receipt = models.TextField(blank=True, help_text="The receipt as it came.")
    last_error = models.CharField(max_length=200, blank=True)
    signed_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="When the signature counts no more.")
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When the money was free again.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="x402payment_once_per_idempotency_key"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="x402payment_costs_something"),
            models.CheckConstraint(
                condition=Q(network="eip155:84532"), name="x402payment_is_play_money"
            ),
            models.CheckConstraint(
                condition=~Q(status="settled") | Q(settled_at__isnull=False) & ~Q(receipt=""),
                name="x402payment_settled_has_a_receipt",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "signed_at"], name="x402payment_by_agent"),
            # For treasury.jobs.expire_x402_payments.
            models.Index(
                fields=["expires_at"], condition=Q(status="signed"), name="x402payment_by_expiry"
            ),
        ]
        triggers = [
            CHECK_ALLOWANCE,
            pgtrigger.FSM(
                name="x402payment_goes_one_way",
                field="status",
                transitions=[
                    ("signed", "settled"),
                    ("signed", "expired"),
                    ("expired", "settled"),
                ],
            ),
            row_triggers.write_once(
                "x402payment_keeps_its_terms",
                *("agent", "rail", "idempotency_key", "asked", "asked_sha256", "resource"),
                *("version", "network", "pay_to", "amount", "payer", "nonce", "header", "pending"),
                *("signed_at", "expires_at"),
            ),
            pgtrigger.Protect(name="x402payment_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("x402payment_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"x402 payment {self.pk} ({self.status})"

    @property
    def header_name(self) -> str:
        """The header in which the service expects the signature."""
        return HEADERS[self.version]

    @property
    def currency(self) -> str:
        """Of the amount."""
        return "USDC"

    @property
    def is_play_money(self) -> bool:
        """Always: the network is a testnet."""
        return True

    @property
    def address(self) -> str:
        """The payment's name in the audit."""
        return f"x402_payment:{self.pk}"
