"""Delegations: a deputy decides in the place of a person who is away."""

from datetime import datetime
from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from security.actor import ActorKind, display_name

_KINDS_OF_ACTOR = [(kind.value, kind.value.replace("_", " ")) for kind in ActorKind]
DAYS_MAX = 366


class DelegationQuerySet(models.QuerySet["Delegation"]):
    """Filters of delegations."""

    def standing(self) -> Self:
        """Those that nobody has revoked."""
        return self.filter(revoked_at=None)

    def in_force(self, now: datetime) -> Self:
        """Those that hold at `now`."""
        return self.standing().filter(starts_at__lte=now, ends_at__gt=now)

    def overlapping(self, starts_at: datetime, ends_at: datetime) -> Self:
        """Those that hold at some moment of the period."""
        return self.standing().filter(starts_at__lt=ends_at, ends_at__gt=starts_at)


class Delegation(models.Model):
    """The deputy decides approvals in the place of the absent person, in `[starts_at, ends_at)`.

    named ──its moment comes──▶ in force ──its end, or revoke──▶ over

    While it is in force, the deputy decides what the absent person may decide, and that alone: a
    deputy passes nothing on. A decision of the deputy counts for both persons. Nothing has to run
    at the end. With `cost_centre`, it is for approvals of that part of the tree.
    """

    absent = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        help_text="The person who is away.",
    )
    deputy = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        help_text="The person who decides in the place of the other.",
    )
    cost_centre = models.CharField(
        max_length=64,
        blank=True,
        help_text="Only approvals of this cost centre and those below it; empty for all.",
    )
    starts_at = models.DateTimeField(help_text="From when the deputy decides.")
    ends_at = models.DateTimeField(help_text="From when the deputy decides no longer.")
    reason = models.CharField(max_length=300, help_text="Why the person is away.")
    named_by_name = models.CharField("named by", max_length=200)
    named_by_kind = models.CharField(max_length=12, choices=_KINDS_OF_ACTOR)
    named_persons = ArrayField(models.CharField(max_length=300), editable=False)
    named_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by_name = models.CharField("revoked by", max_length=200, blank=True)
    revoked_by_kind = models.CharField(max_length=12, choices=_KINDS_OF_ACTOR, blank=True)
    revoked_reason = models.CharField("why revoked", max_length=300, blank=True)

    objects = DelegationQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(absent=F("deputy")), name="delegation_is_to_another_person"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"), starts_at__gte=F("named_at")),
                name="delegation_is_for_a_time_to_come",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by_name="")
                | Q(~Q(revoked_by_name=""), revoked_at__isnull=False),
                name="delegation_revoked_says_who_and_when",
            ),
        ]
        indexes = [
            # For what a person decides for others, on each page.
            models.Index(
                fields=["deputy", "ends_at"],
                condition=Q(revoked_at=None),
                name="delegation_by_deputy",
            ),
            models.Index(fields=["absent", "ends_at"], name="delegation_by_absent"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="delegation_is_one_and_no_chain",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                # Both persons are locked first, so two delegations that are named at once are
                # looked at one after the other.
                func="""
                    PERFORM FROM auth_user WHERE id IN (NEW.absent_id, NEW.deputy_id)
                      ORDER BY id FOR NO KEY UPDATE;
                    IF 'user:' || NEW.deputy_id = ANY (NEW.named_persons) THEN
                      RAISE EXCEPTION 'a deputy does not name themselves'
                        USING ERRCODE = 'check_violation';
                    END IF;
                    IF NOT (SELECT is_active FROM auth_user WHERE id = NEW.deputy_id) THEN
                      RAISE EXCEPTION 'a deputy can sign in' USING ERRCODE = 'check_violation';
                    END IF;
                    IF EXISTS (
                      SELECT FROM security_delegation other
                       WHERE other.revoked_at IS NULL
                         AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
                         AND (other.absent_id IN (NEW.absent_id, NEW.deputy_id)
                              OR other.deputy_id = NEW.absent_id)
                    ) THEN
                      RAISE EXCEPTION 'a person has one deputy at a time, who has none'
                        USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
            row_triggers.write_once(
                "delegation_keeps_its_terms",
                *("absent", "deputy", "cost_centre", "starts_at", "ends_at", "reason"),
                *("named_by_name", "named_by_kind", "named_persons", "named_at"),
            ),
            pgtrigger.Protect(
                name="delegation_revoked_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.revoked_at IS NOT NULL"),
            ),
            pgtrigger.Protect(name="delegation_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.deputy_id} for {self.absent_id}"

    @property
    def named_by(self) -> str:
        """Who named the deputy."""
        return display_name(self.named_by_name, self.named_by_kind)

    def stage(self, now: datetime) -> str:
        """Where it stands at `now`: `to come`, `in force`, `over` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if now < self.starts_at:
            return "to come"
        return "in force" if now < self.ends_at else "over"


def refuses_a_deputy_alone(
    name: str,
    *,
    delegation: str,
    persons: str,
    at: str,
    condition: Any,
    operation: Any = pgtrigger.Insert | pgtrigger.Update,
) -> pgtrigger.Trigger:
    """A trigger of approvals: a decision by a delegation counts for both persons, and is made
    while the delegation holds.

    It holds the row of the delegation until commit, so a delegation that is being revoked is
    looked at after that, and one that is used is revoked after the decision.
    """
    return pgtrigger.Trigger(
        name=name,
        operation=operation,
        when=pgtrigger.Before,
        condition=condition,
        func=f"""
            PERFORM FROM security_delegation WHERE id = NEW.{delegation} FOR SHARE;
            IF NOT EXISTS (
              SELECT FROM security_delegation d
               WHERE d.id = NEW.{delegation} AND d.revoked_at IS NULL
                 AND d.starts_at <= NEW.{at} AND NEW.{at} < d.ends_at
                 AND NEW.{persons}::text[]
                     @> ARRAY['user:' || d.absent_id, 'user:' || d.deputy_id]
            ) THEN
              RAISE EXCEPTION 'a decision by a deputy counts for both persons, in its time'
                USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )
