"""Payouts: money of a rail that goes to the organisation's own bank account."""

from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from treasury.models.amounts import amount_field
from treasury.models.payments import MoneyOrder, go_one_way, keep_what_was_written, rail_is_on
from treasury.models.rail_accounts import RailAccount

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
    RETURNING = "returning", "it came back, after its arrival was booked"
    REFUSED = "refused"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


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


class Payout(MoneyOrder):
    """Money of a rail that goes to the bank account in the rail's settings, once.

    `destination` is what two persons approved when the rail was switched on. The money is set aside
    (`pending`) before it is sent; `transfer` puts it in transit, until the bank's statement has it.
    `needs_person`: the rail does not know any more whether it was made. It is declined by the rail
    or the bank.
    """

    rail_account = models.ForeignKey(RailAccount, models.PROTECT, related_name="payouts")
    amount = amount_field(help_text="What goes to the bank.")
    destination = models.CharField(max_length=200, help_text="How the vendor names the account.")
    status = models.CharField(max_length=12, choices=PayoutStatus, default=PayoutStatus.PROPOSED)
    reason = models.CharField(max_length=300, help_text="Why it goes there.")
    note = models.CharField(max_length=300, blank=True, help_text="The vendor's own words.")

    class Meta(MoneyOrder.Meta):
        constraints = [
            *MoneyOrder.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(destination=""), name="payout_moves_something"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "accepted", "unknown", "needs_person"])
                | Q(key_expires_at__isnull=False, pending__isnull=False)
                & ~Q(body="")
                & ~Q(body_sha256=""),
                name="payout_sent_keeps_its_request",
            ),
        ]
        triggers = [
            _IS_APPROVED,
            rail_is_on("payout", rail="rail_account_id"),
            go_one_way("payout", approved=("sending", "refused", "cancelled")),
            row_triggers.write_once(
                "payout_keeps_its_terms",
                *("rail_account", "key", "amount", "currency", "destination", "reason"),
                *("asked_by", "asked_at"),
            ),
            keep_what_was_written("payout"),
            pgtrigger.Protect(
                name="payout_begins_as_proposed",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.status <> 'proposed'"),
            ),
            pgtrigger.Protect(name="payout_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("payout_is_not_truncated"),
        ]
