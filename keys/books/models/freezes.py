"""Freezes: stops of everything that a scope spends, until another actor thaws it."""

import pgtrigger
from django.db import models
from django.db.models import Q

from common import row_triggers
from security.actor import display_name

EVERYTHING = "all"


class FreezeMode(models.TextChoices):
    """What a freeze does to calls that run."""

    CUT = "cut", "end running calls at once"
    DRAIN = "drain", "let running calls end"


class Freeze(models.Model):
    """A stop of an API key, a provider, an agent, a cost centre with all below it, or everything.

    frozen ──thaw──▶ thawed      by another actor than the one that froze

    `scope`: `key:…`, `provider:…`, `agent:…`, `centre:…` or `all`. Nothing is held for a frozen
    scope: the statements that hold ask the SQL function `keys_frozen`, see `keys.books.sql.freeze`.
    """

    scope = models.CharField(max_length=80, help_text="What is frozen, such as key:nvidia-1.")
    mode = models.CharField(
        max_length=5, choices=FreezeMode, help_text="What happens to calls that run."
    )
    reason = models.CharField(max_length=300, help_text="Why it was frozen.")
    frozen_by = models.CharField(max_length=200)
    frozen_by_kind = models.CharField(max_length=12)
    frozen_at = models.DateTimeField(help_text="When it was frozen.")
    thawed_by = models.CharField(max_length=200, blank=True, db_default="")
    thawed_by_kind = models.CharField(max_length=12, blank=True, db_default="")
    thaw_reason = models.CharField(max_length=300, blank=True, db_default="")
    thawed_at = models.DateTimeField(null=True, blank=True, help_text="When it was thawed.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope"], condition=Q(thawed_at=None), name="freeze_once_per_scope"
            ),
            models.CheckConstraint(
                condition=Q(thawed_at=None) | ~Q(thawed_by="") & ~Q(thaw_reason=""),
                name="freeze_says_who_thawed_it_and_why",
            ),
            models.CheckConstraint(
                condition=Q(thawed_at=None)
                | ~Q(thawed_by=models.F("frozen_by"))
                | ~Q(thawed_by_kind=models.F("frozen_by_kind")),
                name="freeze_is_thawed_by_another_actor",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "freeze_keeps_what_was_frozen",
                "scope",
                "reason",
                "frozen_by",
                "frozen_by_kind",
                "frozen_at",
            ),
            pgtrigger.Protect(
                name="freeze_stays_thawed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__thawed_at__isnull=False),
            ),
            pgtrigger.Protect(name="freeze_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"freeze of {self.scope}"

    @property
    def frozen_by_name(self) -> str:
        """Who froze it, as pages show actors."""
        return display_name(self.frozen_by, self.frozen_by_kind)

    @property
    def thawed_by_name(self) -> str:
        """Who thawed it, as pages show actors; empty while it is frozen."""
        return display_name(self.thawed_by, self.thawed_by_kind) if self.thawed_at else ""
