"""Payouts: money of a rail that goes to the organisation's own bank account."""

from decimal import Decimal
from uuid import uuid4

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from security.models import Approval
from treasury.models.amounts import amount_field
from treasury.models.rail_accounts import RailAccount
from treasury.models.transfers import Transfer
from treasury.models.two_persons import persons_field

# Payouts of a rail within 24 hours above this need a second person, in its currency, all together.
PAYOUT_APPROVAL_ABOVE = Decimal(10)


class PayoutStatus(models.TextChoices):
    """Where a payout stands."""

    PROPOSED = "proposed", "waits for a second person"
    APPROVED = "approved"
    SENDING = "sending", "the rail is being asked"
    ACCEPTED = "accepted", "the rail has it under way"
    UNKNOWN = "unknown", "made or not: Butler finds out"
    NEEDS_PERSON = "needs_person", "a person must act"
    SETTLED = "settled", "the rail has paid it out"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


PAYOUT_ENDED = (
    PayoutStatus.REFUSED,
    PayoutStatus.DECLINED,
    PayoutStatus.EXPIRED,
    PayoutStatus.CANCELLED,
)
_TRANSITIONS = {
    "proposed": ("approved", "refused", "expired", "cancelled"),
    "approved": ("sending", "refused", "cancelled"),
    "sending": ("accepted", "settled", "declined", "refused", "unknown", "needs_person"),
    "unknown": ("sending", "accepted", "settled", "declined", "needs_person"),
    "accepted": ("settled", "declined", "needs_person"),
    "needs_person": ("accepted", "settled", "declined"),
    "settled": ("declined",),
}
_IS_APPROVED = pgtrigger.Trigger(
    name="payout_is_approved",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.status = 'approved' AND NEW.approved_persons = '{}'"),
    declare=[("alone", "numeric")],
    func=f"""
        -- Who pays out of the same rail at this moment is waited for.
        PERFORM pg_advisory_xact_lock(hashtextextended('payout ' || NEW.rail_account_id, 0));
        SELECT coalesce(sum(amount), 0) INTO alone FROM treasury_payout
         WHERE rail_account_id = NEW.rail_account_id AND id <> NEW.id AND approved_persons = '{{}}'
           AND status NOT IN ('proposed', 'refused', 'declined', 'expired', 'cancelled')
           AND asked_at > NEW.asked_at - interval '24 hours';
        IF alone + NEW.amount > {PAYOUT_APPROVAL_ABOVE} THEN
            RAISE check_violation USING CONSTRAINT = 'payout_is_approved',
                MESSAGE = format('payout_is_approved: %s needs a second person', NEW.amount);
        END IF;
        RETURN NEW;
    """,  # noqa: S608 - a number of this file
)
_RAIL_IS_ON = pgtrigger.Trigger(
    name="payout_rail_is_on",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    condition=pgtrigger.Condition("OLD.attempts IS DISTINCT FROM NEW.attempts"),
    func="""
        IF EXISTS (SELECT FROM treasury_railaccount
                    WHERE slug = NEW.rail_account_id AND enabled_at IS NULL) THEN
            RAISE check_violation USING CONSTRAINT = 'payout_rail_is_on',
                MESSAGE = 'payout_rail_is_on: the rail is switched off';
        END IF;
        RETURN NEW;
    """,
)


class Payout(models.Model):
    """Money of a rail that goes to the bank account in the rail's settings, once.

    proposed ─▶ approved ─▶ sending ─▶ accepted ─▶ settled
                              │  ▲
                              ▼  │ the same key and the same bytes, while the key lives
                            unknown
    Ways out: refused (by a person or by the rail), declined (by the rail or the bank, also after it
    was settled: `returned` takes it back), expired, cancelled. `needs_person`: the rail does not
    know any more whether it was made.

    `destination` is what two persons approved when the rail was switched on. The money is set aside
    (`pending`) before it is sent; `transfer` puts it in transit, until the bank's statement has it.
    `key` and `body` are those of every request for it.
    """

    rail_account = models.ForeignKey(RailAccount, models.PROTECT, related_name="payouts")
    key = models.UUIDField(unique=True, default=uuid4)
    amount = amount_field(help_text="What goes to the bank.")
    currency = models.CharField(max_length=5)
    destination = models.CharField(max_length=200, help_text="How the vendor names the account.")
    status = models.CharField(max_length=12, choices=PayoutStatus, default=PayoutStatus.PROPOSED)
    reason = models.CharField(max_length=300, help_text="Why it goes there.")
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
    note = models.CharField(max_length=300, blank=True, help_text="The vendor's own words.")
    ask_at = models.DateTimeField(null=True, help_text="When it is carried on next.")
    asks = models.PositiveIntegerField(default=0)
    pending = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    returned = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(destination=""), name="payout_moves_something"
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
                name="payout_settled_is_in_the_ledger",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "accepted", "unknown", "needs_person"])
                | Q(key_expires_at__isnull=False, pending__isnull=False)
                & ~Q(body="")
                & ~Q(body_sha256=""),
                name="payout_sent_keeps_its_request",
            ),
            models.CheckConstraint(
                condition=Q(approved_persons__len=0)
                | ~Q(approved_persons__overlap=F("asked_persons")),
                name="payout_is_approved_by_a_second_person",
            ),
        ]
        indexes = [
            # For treasury.jobs.carry_on_payouts.
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="payout_by_ask")
        ]
        triggers = [
            _IS_APPROVED,
            _RAIL_IS_ON,
            pgtrigger.FSM(
                name="payout_goes_one_way",
                field="status",
                transitions=[(old, new) for old, after in _TRANSITIONS.items() for new in after],
            ),
            row_triggers.write_once(
                "payout_keeps_its_terms",
                *("rail_account", "key", "amount", "currency", "destination", "reason"),
                *("asked_by", "asked_at"),
            ),
            pgtrigger.Protect(
                name="payout_keeps_what_was_written",
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
            pgtrigger.Protect(
                name="payout_begins_as_proposed",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.status <> 'proposed'"),
            ),
            pgtrigger.Protect(name="payout_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("payout_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"payout {self.pk} ({self.status})"

    @property
    def address(self) -> str:
        """The payout's name in the audit."""
        return f"payout:{self.pk}"
