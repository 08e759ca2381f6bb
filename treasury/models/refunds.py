"""Refunds: what was paid comes back, wholly or in part."""

from uuid import uuid4

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from security.models import Approval
from treasury.models.amounts import amount_field
from treasury.models.collections import Collection
from treasury.models.purchases import Purchase
from treasury.models.refund_triggers import CHECK_REFUND, GO_ONE_WAY, RAIL_IS_ON
from treasury.models.transfers import Transfer
from treasury.models.two_persons import persons_field


class RefundStatus(models.TextChoices):
    """Where a refund stands."""

    PROPOSED = "proposed", "waits for a second person"
    APPROVED = "approved"
    SENDING = "sending", "the rail is being asked"
    ACCEPTED = "accepted", "the rail has it under way"
    UNKNOWN = "unknown", "made or not: Butler finds out"
    NEEDS_PERSON = "needs_person", "a person must act"
    SETTLED = "settled", "the money is back"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class RefundSource(models.TextChoices):
    """Who gave the money back."""

    ASKED = "asked", "a person asked for it"
    VENDOR = "vendor", "the vendor did by itself"


# Of these it is not decided whether money moves.
UNDER_WAY = (
    RefundStatus.PROPOSED,
    RefundStatus.APPROVED,
    RefundStatus.SENDING,
    RefundStatus.ACCEPTED,
    RefundStatus.UNKNOWN,
    RefundStatus.NEEDS_PERSON,
)
# Of these the rail may know something that Butler does not know yet.
SENT = (
    RefundStatus.SENDING,
    RefundStatus.ACCEPTED,
    RefundStatus.UNKNOWN,
    RefundStatus.NEEDS_PERSON,
)


class RefundQuerySet(models.QuerySet["Refund"]):
    """Filters of refunds."""

    def under_way(self) -> "RefundQuerySet":
        """Refunds of which it is not decided whether money moves."""
        return self.filter(status__in=UNDER_WAY)

    def sent(self) -> "RefundQuerySet":
        """Refunds of which the rail may know something that Butler does not know yet."""
        return self.filter(status__in=SENT)


class Refund(models.Model):
    """Money of one collection or one purchase that goes back, once.

    proposed ─▶ approved ─▶ sending ─▶ accepted ─▶ settled
                              │  ▲
                              ▼  │ the same key and the same bytes, while the key lives
                            unknown
    Ways out: refused (by a person or by the rail), declined (by the rail, also after it was
    settled: `returned` takes it back), expired, cancelled. `needs_person`: the rail makes no
    refunds, or does not know any more whether it was made.

    A refund of a collection leaves the rail, so it is set aside (`pending`) before it is sent; one
    of a purchase comes back to the rail. `transfer` books it, and names what it reverses. `key` and
    `body` are those of every request for it.
    """

    collection = models.ForeignKey(Collection, models.PROTECT, null=True, related_name="refunds")
    purchase = models.ForeignKey(Purchase, models.PROTECT, null=True, related_name="refunds")
    rail = models.CharField(max_length=40)
    key = models.UUIDField(unique=True, default=uuid4)
    amount = amount_field(help_text="What goes back.")
    currency = models.CharField(max_length=5)
    source = models.CharField(max_length=6, choices=RefundSource, default=RefundSource.ASKED)
    status = models.CharField(max_length=12, choices=RefundStatus, default=RefundStatus.PROPOSED)
    reason = models.CharField(max_length=300, help_text="Why it goes back.")
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()
    body = models.TextField(blank=True)
    body_sha256 = models.CharField(max_length=64, blank=True)
    key_expires_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    vendor_id = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="The rail's own words.")
    ask_at = models.DateTimeField(null=True, help_text="When it is carried on next.")
    asks = models.PositiveIntegerField(default=0)
    pending = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    returned = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_moves_something"),
            models.CheckConstraint(
                condition=Q(collection=None, purchase__isnull=False)
                | Q(collection__isnull=False, purchase=None),
                name="refund_is_of_one_payment",
            ),
            models.CheckConstraint(
                condition=Q(status="settled", settled_at__isnull=False, transfer__isnull=False)
                | Q(
                    status="declined",
                    settled_at__isnull=False,
                    transfer__isnull=False,
                    returned__isnull=False,
                )
                | ~Q(status="settled") & Q(settled_at=None, transfer=None, returned=None),
                name="refund_settled_is_in_the_ledger",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "accepted", "unknown"])
                | Q(key_expires_at__isnull=False) & ~Q(body="") & ~Q(body_sha256=""),
                name="refund_sent_keeps_its_request",
            ),
            models.CheckConstraint(
                condition=Q(approved_persons__len=0)
                | ~Q(approved_persons__overlap=F("asked_persons")),
                name="refund_is_approved_by_a_second_person",
            ),
        ]
        indexes = [
            # For treasury.jobs.carry_on_refunds.
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="refund_by_ask")
        ]
        triggers = [
            CHECK_REFUND,
            GO_ONE_WAY,
            RAIL_IS_ON,
            row_triggers.write_once(
                "refund_keeps_its_terms",
                *("collection", "purchase", "rail", "key", "amount", "currency", "source"),
                *("reason", "asked_by", "asked_at"),
            ),
            pgtrigger.Protect(
                name="refund_keeps_what_was_written",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.body <> '' AND (OLD.body, OLD.body_sha256, OLD.key_expires_at)"
                    " IS DISTINCT FROM (NEW.body, NEW.body_sha256, NEW.key_expires_at)"
                    " OR OLD.approval_id IS NOT NULL AND (OLD.approval_id, OLD.asked_persons)"
                    " IS DISTINCT FROM (NEW.approval_id, NEW.asked_persons)"
                    " OR OLD.approved_persons <> '{}'"
                    " AND OLD.approved_persons IS DISTINCT FROM NEW.approved_persons"
                    " OR OLD.pending_id IS NOT NULL"
                    " AND OLD.pending_id IS DISTINCT FROM NEW.pending_id"
                    " OR OLD.transfer_id IS NOT NULL"
                    " AND OLD.transfer_id IS DISTINCT FROM NEW.transfer_id"
                ),
            ),
            pgtrigger.Protect(name="refund_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("refund_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"refund {self.pk} ({self.status})"

    @property
    def address(self) -> str:
        """The refund's name in the audit."""
        return f"refund:{self.pk}"

    @property
    def of(self) -> str:
        """The name of what was paid."""
        paid = self.collection if self.collection_id else self.purchase
        return paid.address if paid else ""
