"""Money that payers are asked for."""

from uuid import uuid4

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from treasury.models.amounts import amount_field
from treasury.models.rail_accounts import RailAccount
from treasury.models.transfers import Transfer


class CollectionStatus(models.TextChoices):
    """Where a collection stands."""

    SENDING = "sending", "the rail is being asked"
    UNKNOWN = "unknown", "made or not: Butler finds out"
    ACTION = "action", "waits for the payer"
    ACCEPTED = "accepted", "the rail has it under way"
    SETTLED = "settled", "the money is on the rail"
    DECLINED = "declined"
    REFUSED = "refused"


_TRANSITIONS = {
    "sending": ("unknown", "action", "accepted", "settled", "declined", "refused"),
    "unknown": ("sending", "action", "accepted", "settled", "declined"),
    "action": ("accepted", "settled", "declined"),
    "accepted": ("action", "settled", "declined"),
}

# An attempt by a rail that is off is refused, also a repeated one.
_RAIL_IS_ON = pgtrigger.Trigger(
    name="collection_rail_is_on",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    declare=[("enabled", "timestamptz")],
    func="""
        IF TG_OP = 'UPDATE' AND OLD.attempts = NEW.attempts THEN
            RETURN NEW;
        END IF;
        SELECT enabled_at INTO enabled FROM treasury_railaccount
         WHERE slug = NEW.rail_account_id FOR KEY SHARE;
        IF enabled IS NULL THEN
            RAISE check_violation USING CONSTRAINT = 'collection_rail_is_on',
                MESSAGE = 'collection_rail_is_on: the rail is switched off';
        END IF;
        RETURN NEW;
    """,
)


class Collection(models.Model):
    """Money that a payer is asked for once, into the balance of a rail.

    sending ─▶ action ─▶ accepted ─▶ settled
       │ ▲                              the payer's bank may take it back: `reversed_at`
       ▼ │ the same key and the same bytes, while the key lives
    unknown
    Ways out: declined (by the payer or their bank), refused (by the rail).

    `key` and `body` are those of every request for it. `action_url`: where the payer pays.
    `settled_id` is what the vendor calls the money that came.
    """

    rail_account = models.ForeignKey(RailAccount, models.PROTECT, related_name="collections")
    key = models.UUIDField(unique=True, default=uuid4)
    amount = amount_field(help_text="What the payer is asked for.")
    currency = models.CharField(max_length=5)
    purpose = models.CharField(max_length=100, help_text="What the payer reads.")
    status = models.CharField(
        max_length=8, choices=CollectionStatus, default=CollectionStatus.SENDING
    )
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    body = models.TextField()
    body_sha256 = models.CharField(max_length=64)
    key_expires_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    vendor_id = models.CharField(max_length=200, blank=True)
    settled_id = models.CharField(max_length=200, blank=True)
    action_url = models.CharField(max_length=2000, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="The rail's own words.")
    ask_at = models.DateTimeField(null=True, help_text="When the rail is asked next.")
    asks = models.PositiveIntegerField(default=0)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="collection_asks_something"),
            models.CheckConstraint(
                condition=Q(status="settled", settled_at__isnull=False, transfer__isnull=False)
                | ~Q(status="settled") & Q(settled_at=None, transfer=None, reversed_at=None),
                name="collection_settled_is_in_the_ledger",
            ),
        ]
        indexes = [
            # For treasury.jobs.carry_on_collections.
            models.Index(
                fields=["ask_at"], condition=Q(ask_at__isnull=False), name="collection_by_ask"
            )
        ]
        triggers = [
            _RAIL_IS_ON,
            pgtrigger.FSM(
                name="collection_goes_one_way",
                field="status",
                transitions=[(old, new) for old, after in _TRANSITIONS.items() for new in after],
            ),
            row_triggers.write_once(
                "collection_keeps_its_terms",
                *("rail_account", "key", "amount", "currency", "purpose", "asked_by", "asked_at"),
                *("body", "body_sha256", "key_expires_at"),
            ),
            pgtrigger.Protect(name="collection_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("collection_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"collection {self.pk} ({self.status})"

    @property
    def address(self) -> str:
        """The collection's name in the audit."""
        return f"collection:{self.pk}"
