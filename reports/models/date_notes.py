"""Notes on dates, which charts show."""

from django.db import models
from django.db.models import Q

from common.money_fields import created_at_field


class DateNote(models.Model):
    """What people must know to read a chart: what happened on a date.

    Everyone who sees charts reads it. It is not changed: its author deletes it and writes another.
    """

    noted_on = models.DateField(help_text="The day that the note is about.")
    text = models.CharField(max_length=200, help_text="What happened, in one sentence.")
    author = models.CharField(max_length=150, help_text="The user name of the author.")
    created_at = created_at_field()

    class Meta:
        ordering = ["noted_on", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="datenote_has_a_text")]
        indexes = [models.Index(fields=["noted_on"], name="datenote_by_day")]

    def __str__(self) -> str:
        return f"{self.noted_on}: {self.text}"
