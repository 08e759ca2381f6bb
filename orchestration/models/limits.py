"""How many attempts may run at once."""

from django.db import models
from django.db.models import Q


class Concurrency(models.Model):
    """At most so many attempts of `scope` run at once: `all`, `centre:<slug>` (with all below it),
    `provider:<slug>` or `runner:<name>`. Without a row there is no limit, but for `all`, which is
    then `settings.ATTEMPTS_MAX`.
    """

    scope = models.CharField(max_length=110, unique=True)
    attempts_max = models.PositiveIntegerField()

    class Meta:
        ordering = ["scope"]
        verbose_name = "concurrency limit"
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="all") | Q(scope__regex=r"^(centre|provider|runner):.+"),
                name="concurrency_has_a_scope",
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.attempts_max}"
