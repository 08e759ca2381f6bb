"""What the organisation says about models: which names mean which model."""

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
