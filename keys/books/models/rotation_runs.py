"""Runs that rotate every session of an API key."""

from typing import Self

from django.db import models
from django.db.models import Q

from common.money_fields import created_at_field
from keys.supply.models import ApiKey
from security.actor import Actor, ActorKind


class RotationRunQuerySet(models.QuerySet["RotationRun"]):
    """Filters of runs."""

    def unfinished(self) -> Self:
        """Runs that still have sessions to rotate."""
        return self.filter(status__in=(RotationRun.Status.QUEUED, RotationRun.Status.RUNNING))


class RotationRun(models.Model):
    """Somebody's wish to move all sessions off an API key, and how far a job is with it.

    queued ──claim──▶ running ──finish──▶ done
      ▲                 │  └────stop────▶ stopped    its jobs died too often
      └─────resume──────┘                            its job was silent

    `attempts` rises with each claim, and a job writes only under its own number. A job that goes on
    after another finds the sessions that are left: those that moved are not on the key any more.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped"

    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="rotation_runs")
    reason = models.CharField(max_length=300, help_text="Why the sessions move.")
    asked_by = models.CharField(max_length=200)
    asked_by_kind = models.CharField(max_length=12)
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    sessions = models.PositiveIntegerField(default=0, help_text="How many sessions are to move.")
    moved = models.PositiveIntegerField(default=0, help_text="How many sessions have moved.")
    stayed = models.PositiveIntegerField(default=0, help_text="How many sessions cannot move.")
    refusals = models.JSONField(
        default=list, help_text="The first of the sessions that cannot move, each with the reason."
    )
    created_at = created_at_field()
    progressed_at = models.DateTimeField(null=True, help_text="When its job last looked at one.")

    objects = RotationRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["api_key"],
                condition=Q(status__in=("queued", "running")),
                name="rotationrun_once_per_key_while_it_runs",
            )
        ]

    def __str__(self) -> str:
        return f"rotation of the sessions of {self.api_key_id}"

    @property
    def actor(self) -> Actor:
        """Who asked for it."""
        return Actor(name=self.asked_by, kind=ActorKind(self.asked_by_kind))

    @property
    def looked_at(self) -> int:
        """How many sessions have moved or cannot."""
        return self.moved + self.stayed
