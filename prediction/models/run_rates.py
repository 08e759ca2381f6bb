"""How fast keys, agents, cost centres and providers are used, as it was learned."""

from django.db import models

from keys.models import Unit


class RunRate(models.Model):
    """The pace of a scope in one unit, made again every hour from the slices of eight weeks.

    `scope`: as that of a window, such as `key:nvidia-1`, or `provider:openai`. `pace`: as
    `prediction.run_rate.pace.Pace.as_json` writes it; its week begins on `day` in `zone`.
    """

    scope = models.CharField(max_length=300)
    unit = models.CharField(max_length=6, choices=Unit)
    zone = models.CharField(max_length=64)
    day = models.DateField()
    pace = models.JSONField()
    learned_at = models.DateTimeField()

    class Meta:
        verbose_name = "run rate"
        constraints = [
            models.UniqueConstraint(fields=["scope", "unit"], name="runrate_one_per_scope_and_unit")
        ]

    def __str__(self) -> str:
        return f"run rate of {self.scope} in {self.unit}"
