"""The audit: who changed what, with the values before and after."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from common import row_triggers
from security.actor import ActorKind, display_name
from security.approval_models import Approval, ApprovalPolicy
from security.audit_chain.models import ChainKey, ChainTip, Seal, UnsealedRow
from security.audit_chain.triggers import queue_for_sealing
from security.delegation_models import Delegation

__all__ = [
    "KINDS_OF_ACTOR",
    "Approval",
    "ApprovalPolicy",
    "AuditEntry",
    "ChainKey",
    "ChainTip",
    "Delegation",
    "Seal",
    "UnsealedRow",
]

KINDS_OF_ACTOR = [(kind.value, kind.value.replace("_", " ")) for kind in ActorKind]


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Filters of audit entries."""

    def about(self, subject: str) -> Self:
        """Entries about changes of `subject`, such as `key:nvidia-1`, or that concern it."""
        return self.filter(subjects__contains=[subject])


class AuditEntry(models.Model):
    """One change, written in the transaction that made it and never changed after that.

    `security.audit.record` writes it, and the SQL function `security_audit` for statements that
    write more than one table. Neither takes a lock: writers do not wait for each other.
    """

    at = models.DateTimeField(help_text="The moment of the change.")
    actor_name = models.CharField(
        "actor",
        max_length=200,
        help_text="The name of the user, agent or job that made the change.",
    )
    actor_kind = models.CharField(
        max_length=12, choices=KINDS_OF_ACTOR, help_text="What kind of actor made the change."
    )
    address = models.CharField(
        max_length=64, blank=True, help_text="The network address the request came from."
    )
    request_id = models.CharField(
        max_length=64, blank=True, help_text="The id of the request that made the change."
    )
    action = models.CharField(
        max_length=64, help_text="What was done, as a noun and a verb: `limit.set`."
    )
    subjects = ArrayField(
        models.TextField(),
        help_text="What was changed comes first; what the change concerns follows: "
        "`session:ses-1`, `agent:ada`, `key:nvidia-1`.",
    )
    before = models.JSONField(
        null=True, encoder=DjangoJSONEncoder, help_text="The values before the change."
    )
    after = models.JSONField(
        null=True, encoder=DjangoJSONEncoder, help_text="The values after the change."
    )
    reason = models.CharField(
        max_length=300, blank=True, help_text="Why the change was made, in the actor's words."
    )

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(subjects__len__gte=1), name="auditentry_has_a_subject"
            ),
            models.CheckConstraint(
                condition=Q(actor_kind__in=[kind for kind, _ in KINDS_OF_ACTOR]),
                name="auditentry_kind_of_actor_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["-at", "-id"], name="auditentry_by_time"),
            # For the filter of the audit page.
            models.Index(fields=["action", "-at", "-id"], name="auditentry_by_action"),
            # For `about`.
            GinIndex(fields=["subjects"], name="auditentry_by_subject"),
        ]
        triggers = [
            row_triggers.append_only("auditentry_is_append_only"),
            queue_for_sealing("auditentry_is_sealed", source="audit_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject} {self.at:%Y-%m-%d %H:%M}"

    @property
    def action_title(self) -> str:
        """The action in words: `key.change_status` is "Key: change status"."""
        thing, _, verb = self.action.replace("_", " ").partition(".")
        return f"{thing.capitalize()}: {verb}"

    @property
    def subject(self) -> str:
        """What was changed."""
        return self.subjects[0]

    @property
    def actor(self) -> str:
        """Who changed it: `agent:ada` for an agent, the name for all others."""
        return display_name(self.actor_name, self.actor_kind)
