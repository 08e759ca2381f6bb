"""Allocations, their charges, rotations and decisions."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from common.money_fields import usd
from keys.identity.models.agents import Agent, CostCentre
from keys.identity.models.placements import Placement
from keys.refusals import BudgetNumbers
from keys.supply.models import ApiKey, Price, WireFormat
from security.audit_chain.triggers import queue_for_sealing


class ModelMismatch(models.TextChoices):
    """What the gateway does with a call for a model that the session cannot use."""

    SERVE = "serve", "the default model of the key answers"
    REFUSE = "refuse", "the call is refused"


_PLACEMENT_OF_PAYERS = """
    SELECT p.id INTO NEW.placement_id FROM keys_placement p
     WHERE p.cost_centre_id = NEW.cost_centre_id
       AND NEW.payers = ARRAY['agent:' || NEW.agent_id]
           || (SELECT array_agg('centre:' || s.slug ORDER BY s.place)
                 FROM unnest(p.path) WITH ORDINALITY AS s(slug, place));
    IF NEW.placement_id IS NULL THEN
        RAISE EXCEPTION 'allocation_has_the_placement_of_its_payers: % were never in the tree',
                        NEW.payers USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Allocation(models.Model):
    """A token budget lent to one session of an agent, on one API key at a time.

    active ──complete──▶ completed      the agent is done
      ├──────fail──────▶ failed         the agent gave up
      ├─────expire─────▶ expired        not extended before `expires_at`
      └───last token───▶ exhausted      used ≥ allocated; `overrun` when it was more

    `allocated`, `used`, `held` are tokens; the `_cost` columns are the same in USD, where
    `allocated_cost` is the most the tokens could cost. `payers` are the scopes, besides the key,
    in whose windows it is committed: the agent, its cost centre and all ancestors at the time of
    the allocation.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        COMPLETED = "completed"
        FAILED = "failed"
        EXPIRED = "expired"
        EXHAUSTED = "exhausted"

    session_id = models.CharField(max_length=64, unique=True)
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="allocations")
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="allocations")
    placement = models.ForeignKey(
        Placement,
        models.PROTECT,
        related_name="+",
        editable=False,
        help_text="Where the cost centre was in the tree. The database finds it by the payers.",
    )
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="allocations")
    price = models.ForeignKey(Price, models.PROTECT, related_name="+")
    payers = ArrayField(models.TextField())
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True)
    allocated = models.BigIntegerField()
    used = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    allocated_cost = usd()
    used_cost = usd(default=0)
    held_cost = usd(default=0)
    # The most one token can cost: rates have 9 places per 1,000 tokens.
    token_cost_max = models.DecimalField(max_digits=20, decimal_places=12)
    overrun = models.BooleanField(default=False)
    rotation_threshold = models.BigIntegerField(
        help_text="The number of used tokens at which the allocation should rotate."
    )
    auto_rotate = models.BooleanField(default=True)
    wire_format = models.CharField(
        max_length=9,
        choices=WireFormat,
        blank=True,
        db_default="",
        help_text="The wire format of the session. Only API keys with this format can serve it.",
    )
    refusal_status = models.PositiveSmallIntegerField(
        null=True,
        help_text="The HTTP status for calls that exceed the budget, if it is not the default.",
    )
    warned_at = models.DateTimeField(
        null=True, help_text="When the rotation threshold was reached."
    )
    rotated_at = models.DateTimeField(null=True)
    named_models = ArrayField(
        models.CharField(max_length=200),
        db_default=[],
        help_text="The models it was requested for; none: any that its key serves.",
    )
    model_mismatch = models.CharField(
        max_length=6,
        choices=ModelMismatch,
        db_default=ModelMismatch.SERVE,
        help_text="What happens to a call for a model that the session cannot use.",
    )
    provider_expanded = models.BooleanField(default=False)
    label = models.CharField(
        max_length=100,
        blank=True,
        db_default="",
        help_text="What the budget is for, such as task:7. Usage can be grouped by it.",
    )
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null is "none", unique
    asked = models.JSONField(help_text="The request as JSON, to compare a repeated request with.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="allocation_once_per_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(allocated__gt=0, used__gte=0, held__gte=0, held_cost__gte=0),
                name="allocation_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(overrun=True) | Q(allocated__gte=F("used") + F("held")),
                name="allocation_is_not_overspent",
            ),
            models.CheckConstraint(
                condition=Q(status="active", closed_at__isnull=True)
                | ~Q(status="active") & Q(closed_at__isnull=False),
                name="allocation_is_closed_or_active",
            ),
        ]
        indexes = [
            # For keys.jobs.expire_allocations.
            models.Index(
                fields=["expires_at"],
                condition=Q(status="active"),
                name="allocation_active_by_expiry",
            ),
            models.Index(
                fields=["api_key"], condition=Q(status="active"), name="allocation_active_by_key"
            ),
            models.Index(fields=["agent", "-id"], name="allocation_by_agent"),
            models.Index(fields=["status", "-id"], name="allocation_by_status"),
        ]
        triggers = [
            row_triggers.write_once(
                "allocation_keeps_its_terms",
                "session_id",
                "agent",
                "cost_centre",
                "placement",
                "payers",
                "allocated",
                "label",
            ),
            pgtrigger.Trigger(
                name="allocation_has_the_placement_of_its_payers",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=_PLACEMENT_OF_PAYERS,
            ),
            pgtrigger.Protect(name="allocation_is_kept", operation=pgtrigger.Delete),
            row_triggers.StateMachine(
                name="allocation_stays_closed",
                field="status",
                transitions=[
                    ("active", s) for s in ("completed", "failed", "expired", "exhausted")
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} ({self.status})"

    @property
    def left(self) -> int:
        """Tokens that can still be held."""
        return max(self.allocated - self.used - self.held, 0)

    @property
    def default_model(self) -> str:
        """The model of calls that name none: the first it was lent for, or that of its key."""
        return self.named_models[0] if self.named_models else self.api_key.model

    @property
    def budget(self) -> BudgetNumbers:
        """The budget in tokens and its start and end, as refusals report them."""
        return {
            "session_id": self.session_id,
            "allocated": self.allocated,
            "used": self.used,
            "held": self.held,
            "left": self.left,
            "starts_at": self.created_at,
            "ends_at": self.expires_at,
        }

    @property
    def rotation_needed(self) -> bool:
        """Whether the threshold was reached and no rotation followed; see ROTATION_NEEDED."""
        if self.status != self.Status.ACTIVE or not self.warned_at:
            return False
        return not self.rotated_at or self.rotated_at < self.warned_at

    @property
    def scopes(self) -> list[str]:
        """Every scope in whose windows the allocation is committed."""
        return [f"key:{self.api_key_id}", *self.payers]


# The same as `Allocation.rotation_needed`, for queries.
ROTATION_NEEDED = Q(status=Allocation.Status.ACTIVE, warned_at__isnull=False) & (
    Q(rotated_at=None) | Q(rotated_at__lt=F("warned_at"))
)


# A charge leaves the table only when the same row is in a partition, which inherits from the table.
_KEPT = """
    IF EXISTS (
        SELECT FROM gone g WHERE NOT EXISTS (
            SELECT FROM keys_charge c
             WHERE c.id = g.id AND c.tableoid <> TG_RELID AND (c.*) IS NOT DISTINCT FROM (g.*)))
    THEN
        RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
"""


class Charge(models.Model):
    """One call's cost: held before it, settled after it.

    held ──settle───▶ settled    `tokens` and `cost` are what was really used
      ├───release──▶ released    nothing was used
      ├───expire───▶ expired ──late settle──▶ settled
      └───expire───▶ settled ──late settle or release──▶ settled or released
          (by the gateway, so the call was sent: the whole hold, until `hold_expired_at` is blank)

    A settled charge is the usage record, which is never changed or deleted, except once by the late
    settlement of a charge that has `hold_expired_at`. `cached_tokens`,
    `cache_write_tokens`, `audio_input_tokens` and `image_input_tokens` are part of `input_tokens`,
    `cache_write_long_tokens` (kept an hour) of `cache_write_tokens`, `reasoning_tokens`,
    `audio_output_tokens` and `image_output_tokens` of `output_tokens`; `tokens` is input and output
    or, where only that was reported, the total. `web_searches` are those of the provider. `cost`
    is by Butler's price book and contains what the request and its searches cost beside tokens,
    `provider_cost` is as the provider reported.
    `request_digest` (SHA-256) tells whether a repeated request is the same.

    Charges that can no longer change move to partitions by month, which inherit from this table
    (`ChargePartition`): queries read them, too. Statements of calls in flight say `ONLY
    keys_charge`, so that they plan and lock no partition.
    """

    class Status(models.TextChoices):
        HELD = "held"
        SETTLED = "settled"
        RELEASED = "released"
        EXPIRED = "expired"

    class Basis(models.TextChoices):
        REPORTED = "reported", "as the agent reported"
        PROVIDER = "provider", "as the provider reported"
        ESTIMATED = "estimated", "estimated, because the provider reported nothing"
        IMPORTED = "imported", "imported: as another system recorded"

    # Without indexes of their own: each call would write to each of them twice. An allocation's
    # charges are found through the idempotency key, an API key's through what is settled.
    allocation = models.ForeignKey(
        Allocation, models.PROTECT, related_name="charges", db_index=False
    )
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="charges", db_index=False)
    price = models.ForeignKey(Price, models.PROTECT, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    asked_model = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="The model that the call named, if another one served it.",
    )
    idempotency_key = models.CharField(max_length=255)
    request_digest = models.BinaryField(max_length=32, null=True)
    route = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="The route of the gateway that was called.",
    )
    provider_request_id = models.CharField(max_length=200, blank=True, db_default="")
    status = models.CharField(max_length=8, choices=Status, default=Status.HELD)
    basis = models.CharField(max_length=9, choices=Basis, default=Basis.REPORTED)
    held_tokens = models.BigIntegerField(default=0)
    held_cost = usd(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    cache_write_long_tokens = models.BigIntegerField(db_default=0)
    audio_input_tokens = models.BigIntegerField(db_default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    audio_output_tokens = models.BigIntegerField(db_default=0)
    image_input_tokens = models.BigIntegerField(db_default=0)
    image_output_tokens = models.BigIntegerField(db_default=0)
    web_searches = models.IntegerField(db_default=0)
    search_kind = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        help_text="How the provider searched, if that has a price of its own.",
    )
    tokens = models.BigIntegerField(default=0)
    cost = usd(default=0)
    service_tier = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="The service tier that the provider says it served the call as.",
    )
    provider_cost = usd(null=True)
    overrun = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    hold_expired_at = models.DateTimeField(
        null=True,
        help_text="The time at which the hold of a call that was sent expired without a "
        "settlement, so that the whole hold was charged.",
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["allocation", "idempotency_key"], name="charge_once_per_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(status="settled", settled_at__isnull=False)
                | ~Q(status="settled") & Q(tokens=0, cost=0, settled_at__isnull=True),
                name="charge_costs_when_settled",
            ),
            models.CheckConstraint(
                condition=Q(held_tokens__gte=0, held_cost__gte=0, tokens__gte=0, cost__gte=0),
                name="charge_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(input_tokens__gte=F("cached_tokens") + F("cache_write_tokens"))
                & Q(cache_write_tokens__gte=F("cache_write_long_tokens"))
                & Q(input_tokens__gte=F("audio_input_tokens") + F("image_input_tokens"))
                & Q(output_tokens__gte=F("reasoning_tokens"))
                & Q(output_tokens__gte=F("audio_output_tokens") + F("image_output_tokens"))
                & Q(tokens__gte=F("input_tokens") + F("output_tokens")),
                name="charge_parts_add_up",
            ),
        ]
        indexes = [
            # For keys.jobs.expire_charges, and for what is held outside an open allocation.
            models.Index(
                fields=["expires_at"], condition=Q(status="held"), name="charge_held_by_expiry"
            ),
            models.Index(
                fields=["allocation"], condition=Q(status="held"), name="charge_held_by_allocation"
            ),
            models.Index(
                fields=["api_key", "settled_at"],
                condition=Q(status="settled"),
                name="charge_settled_by_key",
            ),
            # The totals of a day and the costliest calls of a month are read from the index alone.
            models.Index(
                fields=["settled_at", "id"],
                include=["tokens", "cost"],
                condition=Q(status="settled"),
                name="charge_settled_by_time",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="charge_settled_is_append_only",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__status="settled", old__hold_expired_at__isnull=True),
            ),
            pgtrigger.Trigger(
                name="charge_is_kept",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                referencing=pgtrigger.Referencing(old="gone"),  # type: ignore[no-untyped-call]
                func=_KEPT,
            ),
            # What can still be corrected once is sealed as an estimate, and then as a charge.
            queue_for_sealing(
                "charge_is_sealed",
                source="charge",
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Q(new__status="settled", new__hold_expired_at__isnull=True),
            ),
            queue_for_sealing(
                "charge_of_hold_is_sealed",
                source="charge_estimate",
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Q(new__status="settled", new__hold_expired_at__isnull=False),
            ),
            queue_for_sealing(
                "charge_released_late_is_sealed",
                source="charge",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__hold_expired_at__isnull=False, new__status="released"),
            ),
        ]

    def __str__(self) -> str:
        return f"charge {self.pk} ({self.status})"


class RateLease(models.Model):
    """The place of a call in the requests and tokens per minute of its API key, until `expires_at`.

    The table is UNLOGGED: it holds no money, and a crash of the server gives all places back.
    """

    charge = models.OneToOneField(
        Charge, models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    api_key = models.ForeignKey(
        ApiKey, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    tokens = models.BigIntegerField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["api_key", "expires_at"], name="ratelease_by_key")]

    def __str__(self) -> str:
        return f"{self.api_key_id} until {self.expires_at:%H:%M:%S}"


class Rotation(models.Model):
    """A move of the rest of an allocation to another API key."""

    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="rotations")
    from_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+")
    to_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+")
    moved_tokens = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    rotated_by = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null is "none", unique
    asked_key = models.CharField(
        max_length=64, blank=True, help_text="The requested API key, if any."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["allocation", "idempotency_key"], name="rotation_once_per_idempotency_key"
            )
        ]
        triggers = [row_triggers.append_only("rotation_is_append_only")]

    def __str__(self) -> str:
        return f"{self.from_key_id} → {self.to_key_id}"


class Decision(models.Model):
    """Why an allocation got its API key: every candidate with a reason, as of that moment."""

    allocation = models.OneToOneField(
        Allocation, models.PROTECT, related_name="decision", primary_key=True
    )
    verdicts = models.JSONField(
        help_text="The candidates and reasons, as `keys.books.selection.to_json` writes them."
    )

    class Meta:
        triggers = [row_triggers.append_only("decision_is_append_only")]

    def __str__(self) -> str:
        return f"decision of {self.allocation_id}"
