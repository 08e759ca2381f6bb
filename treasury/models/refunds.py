"""Refunds: what was paid comes back, wholly or in part."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from treasury.models.amounts import amount_field
from treasury.models.collections import Collection
from treasury.models.payments import MoneyOrder, go_one_way, keep_what_was_written, rail_is_on
from treasury.models.purchases import Purchase
from treasury.models.refund_triggers import CHECK_REFUND


class RefundStatus(models.TextChoices):
    """Where a refund stands."""

    PROPOSED = "proposed", "waits for a second person"
    APPROVED = "approved"
    SENDING = "sending", "the rail is being asked"
    ACCEPTED = "accepted", "the rail has it under way"
    UNKNOWN = "unknown", "made or not: Butler finds out"
    NEEDS_PERSON = "needs_person", "a person must act"
    SETTLED = "settled", "the money is back"
    RETURNING = "returning", "it failed, and its money was used since"
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


class Refund(MoneyOrder):
    """Money of one collection or one purchase that goes back, once.

    `needs_person`: the rail makes no refunds, or does not know any more whether it was made. A
    refund of a collection leaves the rail, so it is set aside (`pending`) before it is sent; one of
    a purchase comes back to the rail. `transfer` names what it reverses.
    """

    collection = models.ForeignKey(Collection, models.PROTECT, null=True, related_name="refunds")
    purchase = models.ForeignKey(Purchase, models.PROTECT, null=True, related_name="refunds")
    rail = models.CharField(max_length=40)
    amount = amount_field(help_text="What goes back.")
    source = models.CharField(max_length=6, choices=RefundSource, default=RefundSource.ASKED)
    status = models.CharField(max_length=12, choices=RefundStatus, default=RefundStatus.PROPOSED)
    reason = models.CharField(max_length=300, help_text="Why it goes back.")

    objects = RefundQuerySet.as_manager()

    class Meta(MoneyOrder.Meta):
        constraints = [
            *MoneyOrder.Meta.constraints,
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_moves_something"),
            models.CheckConstraint(
                condition=Q(collection=None, purchase__isnull=False)
                | Q(collection__isnull=False, purchase=None),
                name="refund_is_of_one_payment",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "accepted", "unknown"])
                | Q(key_expires_at__isnull=False) & ~Q(body="") & ~Q(body_sha256=""),
                name="refund_sent_keeps_its_request",
            ),
        ]
        triggers = [
            CHECK_REFUND,
            go_one_way("refund", approved=("sending", "needs_person", "refused", "cancelled")),
            rail_is_on("refund", rail="rail"),
            row_triggers.write_once(
                "refund_keeps_its_terms",
                *("collection", "purchase", "rail", "key", "amount", "currency", "source"),
                *("reason", "asked_by", "asked_at"),
            ),
            keep_what_was_written("refund"),
            pgtrigger.Protect(name="refund_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("refund_is_not_truncated"),
        ]

    @property
    def of(self) -> str:
        """The name of what was paid."""
        paid = self.collection if self.collection_id else self.purchase
        return paid.address if paid else ""
