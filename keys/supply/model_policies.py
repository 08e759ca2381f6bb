"""What the organisation says about models: which names mean which, and what serves instead."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class ModelAlias(models.Model):
    """A name, or a pattern of names, that means a model: `fast`, `any` or `claude-*-haiku*`.

    It applies where no API key of the session serves the name itself. The aliases are tried by
    `position`, at the same position names before patterns and long patterns before short ones; the
    first that matches counts. The model is what an API key serves, never another alias.
    """

    name = models.CharField(
        max_length=200,
        unique=True,
        help_text="The name that requests use, or a pattern such as claude-*-haiku*, in lower "
        "case. The name any is also that of requests without a model.",
    )
    model = models.CharField(
        max_length=200, help_text="The model that it means. An API key must serve the model."
    )
    position = models.SmallIntegerField(
        default=0, help_text="Aliases with a lower number are tried first."
    )

    class Meta:
        ordering = ["position", "name"]
        verbose_name = "model alias"
        verbose_name_plural = "model aliases"
        constraints = [
            models.CheckConstraint(
                condition=Q(name=Lower("name")) & ~Q(name=""),
                name="modelalias_is_in_lower_case",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} → {self.model}"


class ModelFallback(models.Model):
    """Models that serve calls instead of another one; the first that can and may is used.

    They serve when no API key can take a call for `model`, or with a `budget_percent` from that
    share of the session's tokens on. A fallback is never dearer than what the session was lent for;
    for the sake of the budget it is cheaper than the model that it replaces.
    """

    model = models.CharField(
        max_length=200,
        help_text="The model that is replaced, or a pattern such as gpt-4*, in lower case.",
    )
    budget_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="From how many used percent of a session's tokens on the fallbacks serve. Leave "
        "it empty for calls that no API key can take.",
    )
    fallbacks = ArrayField(
        models.CharField(max_length=200),
        help_text="The models that serve instead. The first that can serve and is allowed is used.",
    )

    class Meta:
        ordering = ["model", "budget_percent"]
        verbose_name = "model fallback"
        constraints = [
            models.UniqueConstraint(
                fields=["model", "budget_percent"],
                nulls_distinct=False,
                name="modelfallback_once_per_model_and_percent",
            ),
            models.CheckConstraint(
                condition=Q(model=Lower("model")) & ~Q(model=""),
                name="modelfallback_is_in_lower_case",
            ),
            models.CheckConstraint(
                condition=Q(budget_percent__isnull=True) | Q(budget_percent__range=(1, 100)),
                name="modelfallback_percent_is_1_to_100",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} → {', '.join(self.fallbacks)}"
