"""The colours that charts give to what they show."""

from django.db import models
from django.db.models import Q

COLOURS = 8


class ColourSlot(models.Model):
    """The colour of a provider, cost centre, model and so on, the same in every chart.

    Chosen when a chart first shows it, and never changed. `slot` counts the colours from 0.
    """

    kind = models.CharField(max_length=16, help_text="What is shown, such as provider.")
    name = models.CharField(max_length=200, blank=True, help_text="Which of its kind.")
    slot = models.PositiveSmallIntegerField(help_text="The number of the colour, from 0.")

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="colourslot_once_per_name"),
            models.CheckConstraint(condition=Q(slot__lt=COLOURS), name="colourslot_is_a_colour"),
        ]

    def __str__(self) -> str:
        return f"colour {self.slot} of {self.kind} {self.name}"
