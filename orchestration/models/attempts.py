"""Attempts: one try of one sub-task by one sub-agent."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common.money_fields import usd
from keys.models import Allocation, ApiKey
from orchestration.models.sub_tasks import SubTask
from orchestration.models.tasks import Task


class Attempt(models.Model):
    """One try of one sub-task, under an allocation of its own.

    running ──▶ succeeded │ failed │ cancelled

    A running attempt counts in every concurrency limit, and belongs to the `worker` that renews
    `leased_until`. When that time has passed, another worker takes the attempt over and adds one
    to `fence`. Every write names the fence, so writes of the earlier worker have no effect.
    `handle`: what the runner needs to find the running process or session again. `tokens` are lent
    from the task's budget until the attempt is finalized (`finalized_at`): its allocation is
    closed, no call of it is held, and `used_tokens` and `cost` (USD) are final.
    """

    class Status(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    task = models.ForeignKey(Task, models.PROTECT, related_name="attempts")
    sub_task = models.ForeignKey(SubTask, models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    session_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.RUNNING)
    runner = models.CharField(max_length=100)
    tokens = models.BigIntegerField()
    allocation = models.OneToOneField(Allocation, models.PROTECT, null=True, related_name="attempt")
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, related_name="+")
    provider = models.CharField(max_length=64, blank=True)
    worker = models.CharField(max_length=64)
    fence = models.PositiveIntegerField(default=1)
    leased_until = models.DateTimeField()
    deadline_at = models.DateTimeField()
    cancel_asked_at = models.DateTimeField(null=True)
    handle = models.JSONField(null=True)
    error_kind = models.CharField(max_length=20, blank=True)
    error = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    used_tokens = models.BigIntegerField(default=0)
    cost = usd(default=0)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    finalized_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["sub_task", "number"], name="attempt_once_per_number"),
            models.UniqueConstraint(
                fields=["sub_task"], condition=Q(status="running"), name="attempt_one_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["sub_task"], condition=Q(status="succeeded"), name="attempt_one_winner"
            ),
            models.CheckConstraint(
                condition=Q(status="running", ended_at__isnull=True, finalized_at__isnull=True)
                | ~Q(status="running") & Q(ended_at__isnull=False),
                name="attempt_runs_or_has_ended",
            ),
            models.CheckConstraint(condition=Q(tokens__gt=0), name="attempt_is_lent_something"),
        ]
        indexes = [
            models.Index(
                fields=["leased_until"], condition=Q(status="running"), name="attempt_by_lease"
            ),
            models.Index(
                fields=["task"], condition=Q(status="running"), name="attempt_running_by_task"
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(finalized_at__isnull=True) & ~Q(status="running"),
                name="attempt_not_finalized",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="attempt_is_kept", operation=pgtrigger.Delete),
            pgtrigger.FSM(
                name="attempt_ends_once",
                field="status",
                transitions=[("running", s) for s in ("succeeded", "failed", "cancelled")],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} ({self.status})"
