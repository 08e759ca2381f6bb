"""Runs of the books check."""

from django.db import models
from django.db.models import F, Q


class BooksCheck(models.Model):
    """One run of the books check: when it began, and what it found once it had finished.

    A run that was killed never gets a `finished_at`, so it never counts as balanced. `findings`
    are the checks that found rows, each with `check`, `says`, `count` and its first `rows`.
    """

    night = models.DateField(help_text="The day of the reporting zone whose check this is.")
    attempt = models.PositiveSmallIntegerField(help_text="The first of its night is 1.")
    begun_at = models.DateTimeField(help_text="When it began.")
    finished_at = models.DateTimeField(null=True, help_text="When the last check was made.")
    checks = models.PositiveSmallIntegerField(
        default=0, help_text="How many invariants were checked."
    )
    findings = models.JSONField(default=list, help_text="The checks that found rows.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Of processes that begin a run at once, one wins.
            models.UniqueConstraint(fields=["night", "attempt"], name="bookscheck_once"),
            models.CheckConstraint(
                condition=Q(finished_at=None, checks=0, findings=[])
                | Q(finished_at__gte=F("begun_at"), checks__gt=0),
                name="bookscheck_finished_says_how_many_checks",
            ),
        ]

    def __str__(self) -> str:
        return f"books check of {self.begun_at:%Y-%m-%d %H:%M}"

    @property
    def is_balanced(self) -> bool:
        """Whether it has finished, and every invariant holds."""
        return self.finished_at is not None and not self.findings
