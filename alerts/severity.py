"""The severity of alerts."""

from django.db import models


class Severity(models.TextChoices):
    """The severity of an alert, the lowest first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def and_below(self) -> list["Severity"]:
        """This severity and all lower ones."""
        ranked = list(Severity)
        return ranked[: ranked.index(self) + 1]

    def is_above(self, other: str) -> bool:
        """Whether this is more severe than another one."""
        return self not in Severity(other).and_below
