"""Reviews of access: somebody else confirms or removes each role that a person has."""

import pgtrigger
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from common import row_triggers


class AccessReview(models.Model):
    """A review of all roles that people had when it was started.

    started ──decide the last line──▶ completed     also after it is due
    """

    title = models.CharField(max_length=100, help_text="What the review is called.")
    started_by = models.CharField(max_length=200)
    started_at = models.DateTimeField(help_text="The lines are the roles of this moment.")
    due_at = models.DateTimeField(help_text="When each line should be decided.")
    reason = models.CharField(max_length=300, help_text="Why the review was started.")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(due_at__gt=F("started_at")), name="accessreview_is_due_after_its_start"
            ),
            models.UniqueConstraint(
                models.ExpressionWrapper(Q(completed_at=None), output_field=models.BooleanField()),
                condition=Q(completed_at=None),
                name="accessreview_one_at_a_time",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "accessreview_keeps_its_terms",
                *("title", "started_by", "started_at", "due_at", "reason"),
            ),
            pgtrigger.Protect(name="accessreview_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.title


class AccessReviewLine(models.Model):
    """A role of a person in a review, as it was when the review was started, and the decision.

    open ──confirm──▶ confirmed     the person keeps it
      └────remove───▶ removed       it was taken from the person in the same transaction

    `kind` says what `role` names: a role, another group, being a superuser, or permissions that the
    person has without a group. Without `cost_centres`, it is for all.
    """

    class Kind(models.TextChoices):
        """What a line is about."""

        ROLE = "role"
        GROUP = "group"
        SUPERUSER = "superuser"
        PERMISSIONS = "permissions"

    class Decision(models.TextChoices):
        """What somebody else decided."""

        OPEN = "open"
        CONFIRMED = "confirmed"
        REMOVED = "removed"

    review = models.ForeignKey(AccessReview, models.PROTECT, related_name="lines")
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    persons = ArrayField(models.CharField(max_length=300), editable=False)
    kind = models.CharField(max_length=11, choices=Kind)
    role = models.CharField(max_length=150)
    cost_centres = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    last_sign_in = models.DateTimeField(null=True, blank=True)
    last_decision = models.DateTimeField(
        null=True, blank=True, help_text="When the person last decided an approval."
    )
    factors = models.CharField(max_length=100, blank=True, help_text="Second factors.")
    decision = models.CharField(max_length=9, choices=Decision, default=Decision.OPEN)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_persons = ArrayField(
        models.CharField(max_length=300), default=list, blank=True, editable=False
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["person__username", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["review", "person", "kind", "role"],
                name="accessreviewline_once_per_person_and_role",
            ),
            models.CheckConstraint(
                condition=Q(decision="open", decided_at=None, decided_by="", reason="")
                | Q(
                    ~Q(decided_by=""),
                    ~Q(reason=""),
                    ~Q(decision="open"),
                    decided_at__isnull=False,
                    decided_persons__len__gt=0,
                ),
                name="accessreviewline_decided_says_who_when_and_why",
            ),
            models.CheckConstraint(
                condition=~Q(decided_persons__overlap=F("persons")),
                name="accessreviewline_is_decided_by_another_person",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "accessreviewline_keeps_what_was_found",
                *("review", "person", "persons", "kind", "role", "cost_centres"),
                *("last_sign_in", "last_decision", "factors"),
            ),
            pgtrigger.Protect(
                name="accessreviewline_decision_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.decision <> 'open'"),
            ),
            pgtrigger.Protect(name="accessreviewline_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.person_id} ({self.decision})"
