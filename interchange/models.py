"""The imported state files, kept so that an export loses nothing of them."""

from django.db import models


class ImportedState(models.Model):
    """The two documents of one import, as imported and as Butler rendered them right after it.

    Stored as text, because jsonb cannot hold every string of JSON. They contain no secrets, and
    none of the entries that are rows of `ImportedEntry`.
    """

    digest = models.CharField(
        max_length=64,
        unique=True,
        help_text="The SHA-256 digest of both documents, in hexadecimal.",
    )
    original = models.TextField()
    rendered = models.TextField()
    imported_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"imported {self.imported_at:%Y-%m-%d %H:%M}"


class ImportedEntry(models.Model):
    """One allocation, alert or history entry of the imported files, and the row that it became.

    Without a `position`, the import itself wrote the row: the files do not have it, and an export
    has it only if it has changed since.
    """

    class Section(models.TextChoices):
        ALLOCATIONS = "allocations"
        ALERTS = "alerts"
        HISTORY = "history"

    section = models.CharField(max_length=11, choices=Section)
    row = models.BigIntegerField(help_text="The id of the allocation, alert or audit entry.")
    position = models.IntegerField(null=True, help_text="The place of the entry in its file.")
    original = models.TextField(blank=True, help_text="The entry as imported, in JSON.")
    rendered = models.TextField(
        blank=True,
        help_text=(
            "The entry as Butler rendered it after the import, in JSON; empty for history, which "
            "never changes."
        ),
    )

    class Meta:
        verbose_name_plural = "imported entries"
        constraints = [
            models.UniqueConstraint(
                fields=["section", "row"], name="importedentry_once_for_each_row"
            ),
            models.UniqueConstraint(
                fields=["section", "position"], name="importedentry_one_at_each_position"
            ),
        ]

    def __str__(self) -> str:
        return f"entry {self.position} of the imported {self.section}"
