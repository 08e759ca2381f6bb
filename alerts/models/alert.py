"""The alert: something a person must know."""

from datetime import datetime
from typing import Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from alerts import kinds
from alerts.severity import Severity
from common import links


def at_stage(stage: str, now: datetime) -> Q:
    """The condition under which this is the `stage_at` of an alert."""
    if stage == Alert.Stage.SNOOZED:
        return Q(snoozed_until__gt=now)
    return Q(status=stage) & _awake(now)


def _awake(now: datetime) -> Q:
    return Q(snoozed_until=None) | Q(snoozed_until__lte=now)


class AlertQuerySet(models.QuerySet["Alert"]):
    """Filters on alerts."""

    def unresolved(self) -> Self:
        """Alerts that are open or acknowledged."""
        return self.filter(resolved_at__isnull=True)

    def awake(self, now: datetime) -> Self:
        """Alerts that are not snoozed."""
        return self.filter(_awake(now))

    def at_stage(self, stage: str, now: datetime) -> Self:
        """Alerts whose `stage_at` this is."""
        return self.filter(at_stage(stage, now))

    def of_key(self, key_id: str) -> Self:
        """Alerts about one API key."""
        return self.filter(key_id=key_id)

    def of_agent(self, agent_id: str) -> Self:
        """Alerts about one agent."""
        return self.filter(agent_id=agent_id)

    def of_session(self, session_id: str) -> Self:
        """Alerts about one session."""
        return self.filter(session_id=session_id)

    def locked(self) -> Self:
        """Lock the rows until commit; rows that point to them can still be inserted."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class Alert(models.Model):
    """Something a person must know; at most one per `dedup_key` is unresolved at a time.

    open ──acknowledge──▶ acknowledged    a person has seen it and deals with it
      │                        │
      └────────resolve─────────┴────────▶ resolved    closed; `dedup_key` can be raised again

    Each step can be undone; `reopen` needs that `dedup_key` was not raised again since. Beside
    this, an alert that is not resolved is snoozed until `snoozed_until`: people do not see it among
    the others, and no notification of it is sent. When that moment comes, or when it becomes more
    severe, it is where it was before.

    `kind` is the slug of a registered kind (`alerts.kinds`), or of one that only another system
    knows when the alert was imported from there. Its subjects are plain strings (`key_id`,
    `agent_id`, `session_id`), because this app does not import those that own the rows. `facts` are
    figures for programs and never hold a secret.
    """

    class Status(models.TextChoices):
        """Where the alert stands."""

        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    class Stage(models.TextChoices):
        """Where people find the alert: its status, or snoozed."""

        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"

    # With database defaults, because services.raise_alert inserts by SQL (ON CONFLICT).
    kind = models.CharField(max_length=64)
    severity = models.CharField(max_length=8, choices=Severity)
    dedup_key = models.CharField(max_length=255)
    status = models.CharField(
        max_length=12, choices=Status, default=Status.OPEN, db_default=Status.OPEN
    )
    title = models.CharField(max_length=255)
    detail = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    # null, not "": an alert may be about no key, agent or session at all.
    key_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    agent_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    session_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    raised_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=255, blank=True, default="", db_default="")
    acknowledged_note = models.TextField(blank=True, default="", db_default="")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_by = models.CharField(max_length=255, blank=True, default="", db_default="")
    snoozed_note = models.TextField(blank=True, default="", db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=255, blank=True, default="", db_default="")
    resolved_note = models.TextField(blank=True, default="", db_default="")

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dedup_key"],
                condition=Q(resolved_at__isnull=True),
                name="alert_one_unresolved_per_dedup_key",
            ),
            models.CheckConstraint(
                condition=Q(status="resolved", resolved_at__isnull=False)
                | Q(~Q(status="resolved"), resolved_at__isnull=True),
                name="alert_resolved_says_when",
            ),
            models.CheckConstraint(
                condition=~Q(status="acknowledged") | Q(acknowledged_at__isnull=False),
                name="alert_acknowledged_says_when",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_until=None) | (~Q(status="resolved") & ~Q(snoozed_by="")),
                name="alert_snoozed_is_unresolved_and_says_who",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["info", "warning", "critical"]),
                name="alert_severity_is_known",
            ),
        ]
        indexes = [
            # Lists, newest first: of all, and of one key, agent or session.
            models.Index(fields=["-raised_at", "-id"], name="alert_by_raised"),
            models.Index(fields=["key_id", "-raised_at"], name="alert_by_key"),
            models.Index(fields=["agent_id", "-raised_at"], name="alert_by_agent"),
            models.Index(fields=["session_id", "-raised_at"], name="alert_by_session"),
            # For queries.open_alerts and open_counts, small however long the history is.
            models.Index(
                fields=["severity", "-raised_at"],
                condition=Q(resolved_at__isnull=True),
                name="alert_unresolved_by_severity",
            ),
            # For lists of resolved alerts, the last one first.
            models.Index(
                fields=["-resolved_at", "-id"],
                condition=Q(resolved_at__isnull=False),
                name="alert_by_resolved",
            ),
            # How often the same was raised, and what was raised of the same kind.
            models.Index(fields=["dedup_key", "-raised_at"], name="alert_by_dedup_key"),
            models.Index(fields=["kind", "-raised_at"], name="alert_by_kind"),
            # For services.end_due_snoozes.
            models.Index(
                fields=["snoozed_until"],
                condition=Q(snoozed_until__isnull=False),
                name="alert_by_end_of_snooze",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.severity}: {self.title}"

    @property
    def address(self) -> str:
        """The name of the alert in the audit."""
        return f"alert:{self.pk}"

    @property
    def concerns(self) -> list[str]:
        """The key, agent and session of the alert, by their names in the audit."""
        about = {"key": self.key_id, "agent": self.agent_id, "session": self.session_id}
        return [f"{kind}:{name}" for kind, name in about.items() if name]

    @property
    def meaning(self) -> str:
        """What an alert of its kind means, in sentences; empty for an unregistered kind."""
        kind = kinds.find(self.kind)
        return kind.meaning if kind else ""

    @property
    def remedy(self) -> str:
        """What to do about an alert of its kind, in sentences; empty for an unregistered kind."""
        kind = kinds.find(self.kind)
        return kind.remedy if kind else ""

    @property
    def remedy_path(self) -> str | None:
        """Path of the page where the remedy is carried out; None if the alert names no row of it.

        None also for an unregistered kind.
        """
        kind = kinds.find(self.kind)
        return links.url(kind.page, self.subject) if kind and self.subject else None

    @property
    def subject(self) -> str:
        """The key of the row that an alert of its kind names; empty for an unregistered kind."""
        kind = kinds.find(self.kind)
        row = kind and (self.facts.get(kind.subject) or getattr(self, kind.subject, None))
        return str(row or "")

    @property
    def is_resolved(self) -> bool:
        """Whether the alert is resolved."""
        return self.status == self.Status.RESOLVED

    def is_snoozed(self, now: datetime) -> bool:
        """Whether the alert is put aside until later."""
        return self.snoozed_until is not None and self.snoozed_until > now

    def stage_at(self, now: datetime) -> str:
        """Where people find the alert."""
        return self.Stage.SNOOZED if self.is_snoozed(now) else self.status
