"""Who spends and who pays: cost centres, agents and their tokens."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from common import row_triggers
from common.money_fields import created_at_field


class CostCentre(models.Model):
    """Who pays: a node of a tree (organisation → team → project).

    `path` holds the slugs from the root to this node; a node keeps its parent for life, because the
    books of its ancestors include what was spent under it.
    """

    slug = models.SlugField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    path = ArrayField(models.SlugField(max_length=64), editable=False)
    created_at = created_at_field()

    class Meta:
        ordering = ["path"]
        verbose_name = "cost centre"
        triggers = [
            row_triggers.write_once("costcentre_keeps_its_parent", "slug", "parent", "path")
        ]

    def __str__(self) -> str:
        return " / ".join(self.path)


class Agent(models.Model):
    """A program that spends, on behalf of one cost centre."""

    slug = models.SlugField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="agents")
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = created_at_field()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class AgentToken(models.Model):
    """An agent's credential with Butler: shown once, kept as a keyed hash.

    Two may live at once, so that a fleet can change over without a gap.
    """

    class Scope(models.TextChoices):
        SPEND = "spend", "allocate, report usage, rotate, complete"
        READ = "read", "read its own allocations, usage, history"
        OPERATE = "operate", "read every agent's rows and handle alerts"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tokens")
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = created_at_field()

    class Meta:
        verbose_name = "agent token"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")),
                name="agenttoken_expires_after_it_was_made",
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.prefix}…"
