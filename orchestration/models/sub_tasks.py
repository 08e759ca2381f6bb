"""Sub-tasks of a task, and the dependencies between them."""

from django.db import models
from django.db.models import Q

from orchestration.models.tasks import Task
from security.models import Delegation


class SubTask(models.Model):
    """A part of a task: a node of its graph.

    blocked ──▶ waiting ──▶ running ──▶ succeeded
       │  └▶ gated ┘ ▲         ├──────▶ failed       it, or what it depends on, failed
       │             └──retry──┘        cancelled

    blocked: a dependency has not succeeded yet; gated: a person must approve it; waiting: it can
    start, from `not_before` on. When a dependency fails, `if_dependency_fails` decides: it fails,
    it is skipped (cancelled, with the kind `dependency_failed`), or it runs once all others have
    ended. What a person skipped is cancelled with the kind `skipped`, and its dependents go on.
    `waiting_since`: since when it waits to start, or for its approval; `not_before` of a gated one:
    since when that time is not yet added to the deadline of its task. `position` counts from 1 in
    the order of the plan; 0 is the planning step, in which a model plans the other sub-tasks. The
    description and the result are sealed with the key of the task. `share`: tokens of the task's
    budget for all its attempts. `weight`: that of its priority, or of the weightiest sub-task that
    depends on it. `retries` counts failed attempts, `recoveries` those that lost their
    worker.
    """

    class Status(models.TextChoices):
        BLOCKED = "blocked"
        GATED = "gated"
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class IfDependencyFails(models.TextChoices):
        FAIL = "fail"
        SKIP = "skip"
        RUN = "run"

    OPEN = (Status.BLOCKED, Status.GATED, Status.WAITING, Status.RUNNING)
    # Shares of sub-tasks in these states stay reserved.
    TO_COME = (Status.BLOCKED, Status.GATED, Status.WAITING)

    task = models.ForeignKey(Task, models.PROTECT, related_name="sub_tasks")
    position = models.PositiveIntegerField()
    key = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    sealed_description = models.BinaryField(null=True)
    status = models.CharField(max_length=9, choices=Status)
    priority = models.CharField(max_length=8)
    weight = models.FloatField()
    estimated_tokens = models.BigIntegerField()
    share = models.BigIntegerField()
    tokens_max = models.BigIntegerField(
        null=True, help_text="The most tokens that can be lent to it at once, if that is less."
    )
    runner = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    if_dependency_fails = models.CharField(
        max_length=4,
        choices=IfDependencyFails,
        default=IfDependencyFails.FAIL,
        db_default="fail",
        help_text="What becomes of it when a sub-task that it depends on fails.",
    )
    needs_approval = models.BooleanField(default=False)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True)
    approved_reason = models.CharField(max_length=300, blank=True, db_default="")
    delegation = models.ForeignKey(
        Delegation,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="By which a deputy approved it; blank for an approval of one's own.",
    )
    not_before = models.DateTimeField()
    waiting_since = models.DateTimeField(null=True)
    attempts_made = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    recoveries = models.PositiveIntegerField(default=0)
    error_kind = models.CharField(max_length=20, blank=True)
    error = models.TextField(blank=True)
    sealed_result = models.BinaryField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["task", "position"]
        verbose_name = "sub-task"
        constraints = [
            models.UniqueConstraint(fields=["task", "position"], name="subtask_once_per_position"),
            models.UniqueConstraint(fields=["task", "key"], name="subtask_once_per_key"),
            models.CheckConstraint(condition=Q(share__gt=0), name="subtask_has_a_share"),
            models.CheckConstraint(
                condition=Q(delegation=None) | Q(approved_at__isnull=False),
                name="subtask_delegation_is_of_an_approval",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("succeeded", "failed", "cancelled"), ended_at__isnull=False)
                | ~Q(status__in=("succeeded", "failed", "cancelled")) & Q(ended_at__isnull=True),
                name="subtask_has_ended_or_not",
            ),
        ]
        indexes = [
            # For claims: the heaviest first.
            models.Index(
                fields=["task", "-weight", "position"],
                condition=Q(status="waiting"),
                name="subtask_waiting",
            ),
            # For the list of decisions, the latest first.
            models.Index(
                fields=["-approved_at", "-id"],
                condition=Q(approved_at__isnull=False),
                name="subtask_by_approval",
            ),
            models.Index(
                fields=["task"],
                condition=Q(status__in=("blocked", "gated", "waiting", "running")),
                name="subtask_open",
                include=["share", "status"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class Dependency(models.Model):
    """`sub_task` starts when `needs` has succeeded; both belong to one task, without cycles."""

    sub_task = models.ForeignKey(SubTask, models.CASCADE, related_name="dependencies")
    needs = models.ForeignKey(SubTask, models.CASCADE, related_name="dependents")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sub_task", "needs"], name="dependency_once"),
            models.CheckConstraint(
                condition=~Q(sub_task=models.F("needs")), name="dependency_on_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sub_task_id} after {self.needs_id}"
