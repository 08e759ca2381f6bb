"""Concurrency limits: how many attempts may run at the same time."""

from django.db import models
from django.db.models import Q


class Concurrency(models.Model):
    """At most `attempts_max` attempts of `scope` run at the same time.

    `scope`: `all`, `agent:<slug>`, `centre:<slug>` (with all cost centres below it),
    `provider:<slug>` or `runner:<name>`. A scope without a row has no limit, except `all`
    (`settings.ATTEMPTS_MAX`) and each agent (`settings.AGENT_ATTEMPTS_MAX`).
    """

    scope = models.CharField(max_length=110, unique=True)
    attempts_max = models.PositiveIntegerField()

    class Meta:
        ordering = ["scope"]
        verbose_name = "concurrency limit"
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="all") | Q(scope__regex=r"^(agent|centre|provider|runner):.+"),
                name="concurrency_has_a_scope",
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.attempts_max}"
