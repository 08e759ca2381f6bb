"""What was imported from state files: kept, so that an export loses nothing of it."""

from django.db import models


class ImportedState(models.Model):
    """The two documents of one import, as they were and as Butler rendered them right after it.

    Texts and not jsonb, which cannot hold every string of JSON. Never with a secret in them.
    """

    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of both documents.")
    original = models.TextField()
    rendered = models.TextField()
    marks = models.JSONField(help_text="Ids of the imported alerts and history, in their order.")
    imported_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"imported {self.imported_at:%Y-%m-%d %H:%M}"
