"""Tasks: pieces of work, each with a token budget."""

from uuid import uuid4

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from keys.models import Agent, CostCentre
from security.fields import SealedField


class Task(models.Model):
    """A piece of work with a token budget, carried out by sub-agents.

    active ⇄ paused          nothing new starts; running attempts continue
      │ └──▶ cancelling      a person or agent cancelled it; running attempts are being stopped
      │           └──▶ cancelled
      ├──▶ completed         every sub-task succeeded
      ├──▶ partial           some sub-tasks succeeded
      └──▶ failed            no sub-task succeeded

    An ended task becomes active again when its failed sub-tasks are retried. In tokens: `budget`;
    `lent`, in allocations of attempts that are not final; `used`, by final attempts; `reserve`,
    the part of the budget for retries. `centres`: the cost centre and those above it, from the
    root down. Its texts, and those of its sub-tasks, are sealed with `content_key`
    (`orchestration.task_texts`) until `texts_deleted_at`.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        CANCELLING = "cancelling"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Priority(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        CRITICAL = "critical"

    ENDED = (Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED)

    name = models.CharField(max_length=200)
    text_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    content_key = SealedField(bound_to="text_id", null=True)
    sealed_description = models.BinaryField(null=True)
    texts_deleted_at = models.DateTimeField(null=True)
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="tasks")
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="tasks")
    centres = ArrayField(models.TextField())
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True)
    budget = models.BigIntegerField(help_text="The number of tokens that the task may use.")
    reserve = models.BigIntegerField(
        default=0, help_text="The number of tokens of the budget that only retries may use."
    )
    lent = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    overrun = models.BooleanField(default=False)
    soft_limit = models.BigIntegerField(
        null=True, help_text="The number of used tokens at which the task pauses."
    )
    priority = models.CharField(
        max_length=8,
        choices=Priority,
        default=Priority.MEDIUM,
        db_default="medium",
        help_text="Which of the agent's tasks start first; other agents are not held back by it.",
    )
    runner = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    planner = models.CharField(max_length=20)
    plan_note = models.CharField(
        max_length=500,
        blank=True,
        help_text="What the planner says about the description, such as that it did not divide it.",
    )
    max_concurrent = models.PositiveIntegerField()
    retry_on_failure = models.BooleanField()
    max_retries = models.PositiveIntegerField()
    waiting_seconds = models.PositiveIntegerField(
        help_text="How many seconds a sub-task may wait before it starts."
    )
    running_seconds = models.PositiveIntegerField(help_text="How many seconds one attempt may run.")
    timeout_seconds = models.PositiveIntegerField(help_text="How many seconds the task may take.")
    approval_seconds = models.PositiveIntegerField(
        default=86_400,
        db_default=86_400,
        help_text="How many seconds a sub-task may wait for its approval. This time does not count "
        "for the time that the task may take.",
    )
    parallel = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null is "none", unique
    asked_digest = models.BinaryField(
        help_text="The keyed hash of the request, with which a repeated request is compared."
    )
    retry_key = models.CharField(
        max_length=255,
        blank=True,
        help_text="The idempotency key of the last retry or increase before `KeyedChange` had all.",
    )
    budget_raised_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("steer_task", "Can cancel, pause, resume, retry and approve tasks"),
            ("read_task_texts", "Can read prompts and results of tasks"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="task_once_per_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(budget__gt=0, reserve__gte=0, lent__gte=0, used__gte=0),
                name="task_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(overrun=True) | Q(budget__gte=F("lent") + F("used")),
                name="task_is_not_overspent",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("completed", "partial", "failed", "cancelled"),
                    ended_at__isnull=False,
                )
                | Q(status__in=("active", "paused", "cancelling"), ended_at__isnull=True),
                name="task_has_ended_or_not",
            ),
            models.CheckConstraint(
                condition=Q(content_key__isnull=False, texts_deleted_at__isnull=True)
                | Q(content_key__isnull=True, sealed_description__isnull=True)
                & Q(texts_deleted_at__isnull=False),
                name="task_texts_are_sealed_or_deleted",
            ),
        ]
        indexes = [
            # For claims, and for the sweep of tasks past their deadline.
            models.Index(
                fields=["deadline_at"],
                condition=Q(status__in=("active", "paused", "cancelling")),
                name="task_open_by_deadline",
            ),
            models.Index(fields=["agent", "-id"], name="task_by_agent"),
            # For orchestration.jobs.delete_old_texts.
            models.Index(
                fields=["ended_at"],
                condition=Q(texts_deleted_at__isnull=True),
                name="task_with_texts_by_end",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="task_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"

    @property
    def is_over(self) -> bool:
        """Whether the task has ended."""
        return self.status in self.ENDED

    @property
    def free(self) -> int:
        """Tokens of the budget that are neither lent nor used."""
        return max(self.budget - self.lent - self.used, 0)

    def add_to_budget(self, tokens: int) -> None:
        """Raise the budget, and the soft limit with it: it is a part of the budget."""
        if self.soft_limit:
            self.soft_limit = self.soft_limit * (self.budget + tokens) // self.budget
        self.budget += tokens


class KeyedChange(models.Model):
    """A retry or an increase of the budget that was requested with an idempotency key: each is done
    once, also when others came after it."""

    task = models.ForeignKey(Task, models.PROTECT, related_name="keyed_changes")
    idempotency_key = models.CharField(max_length=255)
    asked_digest = models.BinaryField(
        help_text="The keyed hash of the request, with which a repeated request is compared."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "idempotency_key"], name="keyed_change_once_per_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key} of task {self.task_id}"
