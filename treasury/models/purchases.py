"""Purchases of prepaid credit, what was sent for them, and what happened when."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from treasury.models.amounts import amount_field
from treasury.models.payees import Payee
from treasury.models.payments import Payment
from treasury.models.policies import PurchasePolicy
from treasury.models.purchase_triggers import CHECK_BOUNDS, GO_ONE_WAY, RAIL_IS_ON


class PurchaseStatus(models.TextChoices):
    """Where a purchase stands."""

    PROPOSED = "proposed", "waits for a second person"
    APPROVED = "approved"
    RESERVED = "reserved", "the money is set aside"
    SENDING = "sending", "the rail is being asked"
    ACCEPTED = "accepted", "the rail has it under way"
    UNKNOWN = "unknown", "paid or not: Butler finds out"
    NEEDS_PERSON = "needs_person", "a person must act"
    SETTLED = "settled", "paid, and not yet seen as credit"
    CREDITED = "credited"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN = (
    PurchaseStatus.PROPOSED,
    PurchaseStatus.APPROVED,
    PurchaseStatus.RESERVED,
    PurchaseStatus.SENDING,
    PurchaseStatus.ACCEPTED,
    PurchaseStatus.UNKNOWN,
    PurchaseStatus.NEEDS_PERSON,
)


class PurchaseQuerySet(models.QuerySet["Purchase"]):
    """Filters of purchases."""

    def locked(self) -> Self:
        """Lock the rows until commit, in the order of their ids."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)

    def open(self) -> Self:
        """Purchases of which it is not decided whether money leaves."""
        return self.filter(status__in=OPEN)


class Purchase(Payment):
    """Prepaid credit that is bought from a provider, once.

    proposed ─▶ approved ─▶ reserved ─▶ sending ─▶ accepted ─▶ settled ─▶ credited
                                          │  ▲
                                          ▼  │ the same key and the same bytes, while the key lives
                                        unknown
    Ways out: refused (by a bound, by a person or by the rail), declined (by the rail), expired,
    cancelled. `needs_person`: 3-D Secure, a payment that a person makes, or one of which the rail
    does not know any more whether it was made.

    `reversed_at`: the money came back after it was settled; the purchase stays what it is.
    """

    policy = models.ForeignKey(PurchasePolicy, models.PROTECT, related_name="purchases")
    payee = models.ForeignKey(Payee, models.PROTECT, related_name="+")
    amount = amount_field(help_text="What it costs, without fees of the rail.")
    status = models.CharField(
        max_length=12, choices=PurchaseStatus, default=PurchaseStatus.PROPOSED
    )
    is_automatic = models.BooleanField(help_text="Whether Butler proposed it by itself.")
    reason = models.CharField(max_length=300, help_text="Why it is bought.")
    proposed_by = models.CharField(max_length=200)
    proposed_at = models.DateTimeField()
    reserved_at = models.DateTimeField(null=True)
    ask_at = models.DateTimeField(null=True, help_text="When the rail is asked next.")
    credited_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("propose_purchase", "Can propose, confirm and cancel purchases of credit"),
            ("decide_purchase", "Can decide purchases, payees and policies that others propose"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="purchase_costs_something"),
            models.UniqueConstraint(
                fields=["policy"],
                condition=Q(status__in=OPEN),
                name="purchase_one_open_per_policy",
            ),
            models.CheckConstraint(
                condition=Q(reserved_at=None, pending=None)
                | Q(reserved_at__isnull=False, pending__isnull=False),
                name="purchase_reserved_has_money_aside",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["proposed", "approved", "refused", "expired", "cancelled"])
                | Q(reserved_at__isnull=False),
                name="purchase_under_way_was_reserved",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "accepted", "unknown"])
                | Q(key_expires_at__isnull=False) & ~Q(body="") & ~Q(body_sha256=""),
                name="purchase_sent_keeps_its_request",
            ),
            models.CheckConstraint(
                condition=~Q(status="credited") | Q(credited_at__isnull=False),
                name="purchase_credited_says_when",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["settled", "credited"]) | Q(settled_at__isnull=False),
                name="purchase_settled_says_when",
            ),
            models.CheckConstraint(
                condition=Q(reversed_at=None) | Q(settled_at__isnull=False),
                name="purchase_reversed_was_settled",
            ),
        ]
        indexes = [
            models.Index(fields=["policy", "reserved_at"], name="purchase_by_policy"),
            # For the jobs that carry purchases on.
            models.Index(
                fields=["ask_at"], condition=Q(ask_at__isnull=False), name="purchase_by_ask"
            ),
        ]
        triggers = [
            CHECK_BOUNDS,
            GO_ONE_WAY,
            pgtrigger.Protect(name="purchase_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("purchase_is_not_truncated"),
            row_triggers.write_once(
                "purchase_keeps_its_terms",
                *("policy", "payee", "key", "amount", "currency", "is_automatic", "reason"),
                *("proposed_by", "proposed_at"),
            ),
            pgtrigger.Protect(
                name="purchase_keeps_its_approval",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.approval_id IS NOT NULL AND (OLD.approval_id, OLD.asked_persons)"
                    " IS DISTINCT FROM (NEW.approval_id, NEW.asked_persons)"
                    " OR OLD.approved_persons <> '{}'"
                    " AND OLD.approved_persons IS DISTINCT FROM NEW.approved_persons"
                ),
            ),
            pgtrigger.Protect(
                name="purchase_keeps_its_request",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.body <> '' AND (OLD.body, OLD.body_sha256, OLD.key_expires_at)"
                    " IS DISTINCT FROM (NEW.body, NEW.body_sha256, NEW.key_expires_at)"
                ),
            ),
            pgtrigger.Protect(
                name="purchase_keeps_what_is_set_aside",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.reserved_at IS NOT NULL AND (OLD.reserved_at, OLD.pending_id)"
                    " IS DISTINCT FROM (NEW.reserved_at, NEW.pending_id)"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"purchase {self.pk} ({self.status})"


class PurchaseAttempt(models.Model):
    """One request to the rail. The row is there before the first byte leaves.

    A request without an answer says nothing about the payment: see `Purchase`.
    """

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    sent_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["purchase", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "number"], name="purchaseattempt_is_numbered"
            ),
            models.CheckConstraint(
                condition=Q(answered_at=None, outcome="")
                | Q(~Q(outcome=""), answered_at__gte=F("sent_at")),
                name="purchaseattempt_answered_says_what",
            ),
        ]
        triggers = [
            RAIL_IS_ON,
            row_triggers.write_once("purchaseattempt_was_sent", "purchase", "number", "sent_at"),
            pgtrigger.Protect(name="purchaseattempt_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("purchaseattempt_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of purchase {self.purchase_id}"


class PurchaseStep(models.Model):
    """Something that happened to a purchase, for its timeline."""

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="steps")
    status = models.CharField(max_length=12, choices=PurchaseStatus)
    note = models.CharField(max_length=300, blank=True)
    taken_by = models.CharField(max_length=200)
    taken_at = models.DateTimeField()

    class Meta:
        ordering = ["purchase", "id"]
        triggers = [
            row_triggers.append_only("purchasestep_is_append_only"),
            row_triggers.not_truncated("purchasestep_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.status} of purchase {self.purchase_id}"
