"""Experiments: part of an agent's parts run on another model, to see whether it does as well."""

import pgtrigger
from django.db import models
from django.db.models import Q

from keys.models import Agent, Provider
from orchestration.models.sub_tasks import SubTask
from prediction.models import Saving


class Experiment(models.Model):
    """Some parts of `agent` with `runner` that ask for `from_model` run on `model` of `provider`.

    running ──its time is over──▶ better │ undecided │ worse
      ├──clearly worse──▶ worse           │
      └──a person stops it──▶ stopped     └──a person──▶ adopted ──a person──▶ stopped

    `from_model` is empty for parts that name no model. While it runs, `percent` of these parts are
    chosen by a hash of the part; while it is adopted, all are. `result` are the figures at its end,
    `outcome` says them. `saving`: the proposal that it tries out.
    """

    class Status(models.TextChoices):
        RUNNING = "running"
        BETTER = "better"
        WORSE = "worse"
        UNDECIDED = "undecided"
        ADOPTED = "adopted"
        STOPPED = "stopped"

    # Parts are assigned in these.
    ASSIGNING = (Status.RUNNING, Status.ADOPTED)

    saving = models.ForeignKey(Saving, models.PROTECT, related_name="experiments")
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="+")
    runner = models.CharField(max_length=100)
    from_model = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200)
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="+")
    percent = models.PositiveSmallIntegerField(default=10)
    status = models.CharField(max_length=9, choices=Status, default=Status.RUNNING)
    outcome = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=255)
    reason = models.CharField(max_length=300)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "runner", "from_model"],
                condition=Q(status__in=("running", "adopted")),
                name="experiment_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(percent__range=(1, 50)), name="experiment_is_of_some_parts"
            ),
            models.CheckConstraint(
                condition=Q(status="running", ended_at=None)
                | ~Q(status="running") & Q(ended_at__isnull=False),
                name="experiment_runs_or_has_ended",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="experiment_is_kept", operation=pgtrigger.Delete),
            pgtrigger.FSM(
                name="experiment_ends_once",
                field="status",
                transitions=[
                    *(("running", s) for s in ("better", "worse", "undecided", "stopped")),
                    ("better", "adopted"),
                    ("adopted", "stopped"),
                ],
            ),
        ]

    def __str__(self) -> str:
        asked = self.from_model or "no named model"
        return f"experiment {self.pk}: {self.model} instead of {asked} ({self.status})"

    @property
    def share(self) -> int:
        """How many of 100 parts it chooses."""
        return 100 if self.status == self.Status.ADOPTED else self.percent


class ExperimentPart(models.Model):
    """A part that an experiment looks at: if `is_tried`, it runs on the model of the experiment."""

    experiment = models.ForeignKey(Experiment, models.PROTECT, related_name="parts")
    sub_task = models.OneToOneField(SubTask, models.PROTECT, related_name="experiment_part")
    is_tried = models.BooleanField()

    class Meta:
        verbose_name = "part of an experiment"
        verbose_name_plural = "parts of experiments"

    def __str__(self) -> str:
        return f"part {self.sub_task_id} of experiment {self.experiment_id}"
