"""What purchases, refunds and payouts have in common: money that a rail is asked to move, once."""

from enum import StrEnum
from uuid import uuid4

import pgtrigger
from django.db import models
from django.db.models import F, Q

from security.models import Approval
from treasury.models.amounts import amount_field
from treasury.models.transfers import Transfer
from treasury.models.two_persons import persons_field


class PaymentStatus(StrEnum):
    """The statuses that they have; each kind says in its own words what they mean."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    NEEDS_PERSON = "needs_person"
    SETTLED = "settled"
    RETURNING = "returning"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


# Ended without money that moved, or with money that came back.
ENDED = (
    PaymentStatus.REFUSED,
    PaymentStatus.DECLINED,
    PaymentStatus.EXPIRED,
    PaymentStatus.CANCELLED,
)


class Payment(models.Model):
    """A row that is sent to a rail once.

    `key` is the idempotency key of every request for it, and `body` is what each of them sends:
    neither ever changes. `pending` sets the money aside as long as nothing definite is known.
    """

    key = models.UUIDField(unique=True, default=uuid4)
    amount = amount_field()
    currency = models.CharField(max_length=5)
    status = models.CharField(max_length=12)
    reason = models.CharField(max_length=300)
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()
    body = models.TextField(blank=True)
    body_sha256 = models.CharField(max_length=64, blank=True)
    key_expires_at = models.DateTimeField(null=True)
    vendor_id = models.CharField(max_length=200, blank=True)
    ask_at = models.DateTimeField(null=True, help_text="When it is carried on next.")
    asks = models.PositiveIntegerField(default=0)
    pending = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def address(self) -> str:
        """Its name in the audit."""
        return f"{self._meta.model_name}:{self.pk}"


class MoneyOrder(Payment):
    """A refund or a payout.

    proposed ─▶ approved ─▶ sending ─▶ accepted ─▶ settled
                              │  ▲
                              ▼  │ the same key and the same bytes, while the key lives
                            unknown
    Ways out: refused (by a person or by the rail), declined (by the rail, also after it was
    settled: `returned` takes it back), expired, cancelled. `needs_person`: a person finds out
    whether it was made. `returning`: it has failed after it was settled, but its money is not where
    it went any more, so nothing can be taken back yet. `transfer` books it.
    """

    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True, help_text="The rail's own words.")
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    returned = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")

    class Meta:
        abstract = True
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["settled", "returning"],
                    settled_at__isnull=False,
                    transfer__isnull=False,
                    returned=None,
                )
                | Q(
                    status="declined",
                    settled_at__isnull=False,
                    transfer__isnull=False,
                    returned__isnull=False,
                )
                | ~Q(status__in=["settled", "returning"])
                & Q(settled_at=None, transfer=None, returned=None),
                name="%(class)s_settled_is_in_the_ledger",
            ),
            models.CheckConstraint(
                condition=Q(approved_persons__len=0)
                | ~Q(approved_persons__overlap=F("asked_persons")),
                name="%(class)s_is_approved_by_a_second_person",
            ),
        ]
        indexes = [
            # For the jobs that carry them on.
            models.Index(
                fields=["ask_at"], condition=Q(ask_at__isnull=False), name="%(class)s_by_ask"
            )
        ]

    def __str__(self) -> str:
        return f"{self._meta.model_name} {self.pk} ({self.status})"


def go_one_way(table: str, *, approved: tuple[str, ...]) -> pgtrigger.FSM:
    """Refuse every other step of a `MoneyOrder`. `approved`: what follows that status."""
    transitions = {
        "proposed": ("approved", "refused", "expired", "cancelled"),
        "approved": approved,
        "sending": ("accepted", "settled", "declined", "refused", "unknown", "needs_person"),
        "unknown": ("sending", "accepted", "settled", "declined", "needs_person"),
        "accepted": ("settled", "declined", "needs_person"),
        "needs_person": ("accepted", "settled", "declined"),
        "settled": ("declined", "returning"),
        "returning": ("declined",),
    }
    return pgtrigger.FSM(
        name=f"{table}_goes_one_way",
        field="status",
        transitions=[(old, new) for old, after in transitions.items() for new in after],
    )


def rail_is_on(table: str, *, rail: str) -> pgtrigger.Trigger:
    """A rail that was switched off sends nothing, not even again. The simulator has no row."""
    return pgtrigger.Trigger(
        name=f"{table}_rail_is_on",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("OLD.attempts IS DISTINCT FROM NEW.attempts"),
        func=f"""
        IF EXISTS (SELECT FROM treasury_railaccount
                    WHERE slug = NEW.{rail} AND enabled_at IS NULL) THEN
            RAISE check_violation USING CONSTRAINT = '{table}_rail_is_on',
                MESSAGE = '{table}_rail_is_on: the rail is switched off';
        END IF;
        RETURN NEW;
    """,  # noqa: S608 - names from these files
    )


def keep_what_was_written(table: str) -> pgtrigger.Protect:
    """Refuse another request, approval or transfer of a `MoneyOrder` that has one."""
    return pgtrigger.Protect(
        name=f"{table}_keeps_what_was_written",
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
    )
