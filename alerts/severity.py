"""How much an alert matters."""

from django.db import models


class Severity(models.TextChoices):
    """How much it matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def and_below(self) -> list["Severity"]:
        """This severity and all that matter less."""
        ranked = list(Severity)
        return ranked[: ranked.index(self) + 1]
