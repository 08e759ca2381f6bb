"""Approvals: a second person's yes to a change asked for; and which changes need one."""

from decimal import Decimal
from typing import Self

import pgtrigger
from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from common.money_fields import quantity
from security.actor import ActorKind, display_name
from security.audit_chain.triggers import queue_for_sealing
from security.delegation_models import Delegation, refuses_a_deputy_alone

_KINDS_OF_ACTOR = [(kind.value, kind.value.replace("_", " ")) for kind in ActorKind]


class ApprovalQuerySet(models.QuerySet["Approval"]):
    """Filters of approvals."""

    def waiting(self) -> Self:
        """Approvals that nobody has decided."""
        return self.filter(status=Approval.Status.ASKED)

    def decided(self) -> Self:
        """Approvals that wait for nobody any more, the latest decision first."""
        return self.exclude(status=Approval.Status.ASKED).order_by("-decided_at", "-pk")

    def locked(self) -> Self:
        """Lock the rows until commit, so that one of two who decide at once is the first."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class Approval(models.Model):
    """A change that somebody asked for, and the decision of a second person.

    asked ──approve───▶ approved    the change was made in the same transaction
      │                             (with `second_yes`, by the second person who approves: the
      │                             first approval is kept, and the row stays *asked*)
      ├─────reject────▶ rejected    nothing was changed
      ├─────withdraw──▶ withdrawn   who asked does not want it any more
      └─────expire────▶ expired     nobody decided in time

    If what the change was based on no longer holds, approving it refuses: nothing is changed and
    the approval stays *asked*. `change` is what the kind's `apply` takes, `effect` is what the
    person who decides sees. `…_persons` are the identities of who asked and who decided (see
    `security.persons`): the database refuses a decision in which one person is both.
    """

    class Status(models.TextChoices):
        """Where the approval stands."""

        ASKED = "asked"
        APPROVED = "approved"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"

    kind = models.CharField(max_length=32, help_text="What kind of change was asked for.")
    subject = models.TextField(help_text="What would be changed, such as `agent:ada`.")
    change = models.JSONField(
        encoder=DjangoJSONEncoder, help_text="The change asked for, for programs to read."
    )
    effect = models.TextField(help_text="What the change does, in figures.")
    asked_by_name = models.CharField("asked by", max_length=200)
    asked_by_kind = models.CharField(max_length=12, choices=_KINDS_OF_ACTOR)
    asked_persons = ArrayField(models.CharField(max_length=300), editable=False)
    reason = models.CharField(max_length=300, help_text="Why the change was asked for.")
    rule = models.CharField(
        max_length=300, blank=True, help_text="Who decides by the amount, in words; or empty."
    )
    second_yes = models.BooleanField(
        "needs two", default=False, help_text="Whether two persons have to approve the change."
    )
    role = models.CharField(
        max_length=150, blank=True, help_text="The group whose members decide; empty for all."
    )
    idempotency_key = models.CharField(  # noqa: DJ001 - without a key, no request is a repetition
        max_length=255, null=True, editable=False
    )
    asked_at = models.DateTimeField(help_text="When the change was asked for.")
    expires_at = models.DateTimeField(help_text="When the approval expires without a decision.")
    status = models.CharField(max_length=9, choices=Status, default=Status.ASKED)
    first_yes_by_name = models.CharField("first yes by", max_length=200, blank=True)
    first_yes_for_name = models.CharField("first yes for", max_length=200, blank=True)
    first_yes_persons = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, editable=False
    )
    first_yes_at = models.DateTimeField(null=True, blank=True)
    first_yes_reason = models.CharField("first reason", max_length=300, blank=True)
    first_delegation = models.ForeignKey(
        Delegation, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    decided_by_name = models.CharField("decided by", max_length=200, blank=True)
    decided_by_kind = models.CharField(max_length=12, choices=_KINDS_OF_ACTOR, blank=True)
    decided_persons = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, editable=False
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_reason = models.CharField("why", max_length=300, blank=True)
    decided_for_name = models.CharField(
        "decided for",
        max_length=200,
        blank=True,
        help_text="The absent person in whose place a deputy decided.",
    )
    delegation = models.ForeignKey(
        Delegation, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("decide_approval", "Can decide changes that others ask for")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="asked", decided_at=None, decided_by_name="")
                | Q(
                    ~Q(decided_by_name=""),
                    status__in=["approved", "rejected", "withdrawn", "expired"],
                    decided_at__isnull=False,
                ),
                name="approval_decided_says_who_and_when",
            ),
            models.CheckConstraint(
                condition=~Q(
                    Q(decided_persons__overlap=F("asked_persons")) | Q(decided_persons__len=0),
                    status__in=["approved", "rejected"],
                ),
                name="approval_is_decided_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("asked_at")), name="approval_waits_some_time"
            ),
            models.CheckConstraint(
                condition=Q(
                    first_yes_at=None,
                    first_yes_by_name="",
                    first_yes_for_name="",
                    first_yes_persons__len=0,
                    first_delegation=None,
                )
                | Q(
                    ~Q(first_yes_by_name=""),
                    ~Q(first_yes_persons__overlap=F("asked_persons")),
                    Q(first_delegation=None, first_yes_for_name="")
                    | Q(~Q(first_yes_for_name=""), first_delegation__isnull=False),
                    second_yes=True,
                    first_yes_at__isnull=False,
                    first_yes_persons__len__gt=0,
                ),
                name="approval_first_yes_says_who_and_is_not_who_asked",
            ),
            models.CheckConstraint(
                condition=~Q(
                    Q(first_yes_at=None) | Q(decided_persons__overlap=F("first_yes_persons")),
                    second_yes=True,
                    status="approved",
                ),
                name="approval_that_needs_two_has_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(delegation=None, decided_for_name="")
                | Q(~Q(decided_for_name=""), delegation__isnull=False),
                name="approval_by_a_deputy_says_for_whom",
            ),
            models.UniqueConstraint(
                fields=["asked_by_kind", "asked_by_name", "idempotency_key"],
                name="approval_once_per_idempotency_key",
            ),
        ]
        indexes = [
            # For the job that expires approvals; small however long the history is.
            models.Index(
                fields=["expires_at"], condition=Q(status="asked"), name="approval_asked_by_expiry"
            ),
            # For the list of decisions, the latest first.
            models.Index(
                fields=["-decided_at", "-id"],
                condition=~Q(status="asked"),
                name="approval_by_decision",
            ),
            # For the list of one's own approvals.
            models.Index(
                fields=["asked_by_kind", "asked_by_name", "-id"], name="approval_by_asker"
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="approval_decision_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.status <> 'asked'"),
            ),
            refuses_a_deputy_alone(
                "approval_by_a_deputy_counts_for_both",
                delegation="delegation_id",
                persons="decided_persons",
                at="decided_at",
                condition=pgtrigger.Q(new__delegation__isnull=False),
            ),
            refuses_a_deputy_alone(
                "approval_first_yes_of_a_deputy_counts_for_both",
                delegation="first_delegation_id",
                persons="first_yes_persons",
                at="first_yes_at",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.first_delegation_id IS NOT NULL AND OLD.first_yes_at IS NULL"
                ),
            ),
            pgtrigger.Protect(
                name="approval_begins_without_a_yes",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.first_yes_at IS NOT NULL"),
            ),
            pgtrigger.Protect(
                name="approval_first_yes_is_kept",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.first_yes_at IS NOT NULL AND "
                    "(OLD.first_yes_by_name, OLD.first_yes_for_name, OLD.first_yes_persons, "
                    "OLD.first_yes_at, OLD.first_yes_reason, OLD.first_delegation_id) "
                    "IS DISTINCT FROM "
                    "(NEW.first_yes_by_name, NEW.first_yes_for_name, NEW.first_yes_persons, "
                    "NEW.first_yes_at, NEW.first_yes_reason, NEW.first_delegation_id)"
                ),
            ),
            pgtrigger.Protect(name="approval_is_kept", operation=pgtrigger.Delete),
            queue_for_sealing(
                "approval_request_is_sealed",
                source="approval_request",
                condition=pgtrigger.Q(new__status="asked"),
            ),
            queue_for_sealing(
                "approval_is_sealed",
                source="approval",
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=~pgtrigger.Q(new__status="asked"),
            ),
            row_triggers.write_once(
                "approval_keeps_its_change",
                *("kind", "subject", "change", "effect", "reason", "asked_at", "expires_at"),
                *("asked_by_name", "asked_by_kind", "asked_persons", "idempotency_key"),
                *("rule", "second_yes", "role"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} of {self.subject} ({self.status})"

    @property
    def address(self) -> str:
        """The approval's name in the audit."""
        return f"approval:{self.pk}"

    @property
    def asked_by(self) -> str:
        """Who asked: `agent:ada` for an agent, the name for all others."""
        return display_name(self.asked_by_name, self.asked_by_kind)

    @property
    def first_yes_by(self) -> str:
        """Who approved first of two, and for whom if that is a deputy; empty before that."""
        absent = self.first_yes_for_name
        return f"{self.first_yes_by_name} for {absent}" if absent else self.first_yes_by_name

    @property
    def yes_needed(self) -> int:
        """How many persons have to approve."""
        return 2 if self.second_yes else 1

    @property
    def yes_given(self) -> int:
        """How many persons have approved; a deputy and the absent person are one."""
        return (self.first_yes_at is not None) + (self.status == self.Status.APPROVED)

    @property
    def decided_by(self) -> str:
        """Who decided, and for whom if that is a deputy: `bob for ada`; empty before that."""
        who = display_name(self.decided_by_name, self.decided_by_kind)
        return f"{who} for {self.decided_for_name}" if self.decided_for_name else who


class ApprovalPolicy(models.Model):
    """Which changes of a kind need a second person, and who that can be.

    A policy that is not in force lets one person make the change alone. In force, every rise needs
    a second person, or, where there is a threshold for the unit or a percentage, a rise above it.

    Of kinds that are decided by amount (budget requests), somebody else decides in any case: there
    the thresholds say from which amount `above_needs` is needed, and a policy of a `cost_centre`
    counts in that part of the tree in place of the one without.
    """

    class Above(models.TextChoices):
        """Who decides what is above a threshold."""

        TWO = "two", "two persons"
        ROLE = "role", "a member of the group"

    kind = models.CharField(max_length=32, help_text="The kind of change.")
    cost_centre = models.CharField(
        max_length=64, blank=True, help_text="The part of the tree that it is for; empty for all."
    )
    above_needs = models.CharField(
        max_length=4,
        choices=Above,
        default=Above.TWO,
        help_text="Of budget requests only: who decides above a threshold. The group, if there is "
        "one, decides all of them for two persons, and otherwise only those above.",
    )
    in_force_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when the policy is in force; empty if it is not."
    )
    tokens_above = quantity(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="A rise to more tokens than this needs a second person.",
    )
    usd_above = quantity(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="A rise to more US dollars than this needs a second person.",
    )
    rise_percent_above = models.PositiveIntegerField(
        null=True, blank=True, help_text="A rise by more percent than this needs a second person."
    )
    role = models.ForeignKey(
        Group,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Only members of this group decide. Without a group, all with the permission.",
    )

    class Meta:
        ordering = ["kind", "cost_centre"]
        verbose_name_plural = "approval policies"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "cost_centre"], name="approvalpolicy_once_per_kind_and_centre"
            ),
            models.CheckConstraint(
                condition=Q(tokens_above__gte=0) | Q(tokens_above=None),
                name="approvalpolicy_tokens_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(usd_above__gte=0) | Q(usd_above=None),
                name="approvalpolicy_usd_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        name = self.kind.replace("_", " ")
        return f"{name} in {self.cost_centre}" if self.cost_centre else name

    def is_above(self, *, unit: str, amount: Decimal, of: Decimal) -> bool:
        """Whether a request for `amount` more than a limit `of` so much is above a threshold."""
        above = {"tokens": self.tokens_above, "usd": self.usd_above}.get(unit)
        percent = self.rise_percent_above
        return self.in_force_since is not None and (
            (above is not None and amount > above)
            or (percent is not None and amount * 100 > of * percent)
        )

    def needs_second_person(
        self,
        *,
        unit: str = "",
        before: Decimal | None = None,
        after: Decimal | None = None,
    ) -> bool:
        """Whether a change from `before` to `after` needs one (None: not limited).

        A change without an amount `after`, such as the end of a limit, has no measure: it needs a
        second person whenever the policy is in force. A first limit, as a lower one, needs none.
        """
        if self.in_force_since is None:
            return False
        if after is None:
            return True
        if before is None or after <= before:
            return False
        above = {"tokens": self.tokens_above, "usd": self.usd_above}.get(unit)
        if above is None and self.rise_percent_above is None:
            return True
        percent = self.rise_percent_above
        return (above is not None and after > above) or (
            percent is not None and after * 100 > before * (100 + percent)
        )
