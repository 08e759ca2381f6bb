"""The imported state files, kept so that an export loses nothing of them."""

from django.db import models


class ImportedState(models.Model):
    """The two documents of one import, as imported and as Butler rendered them right after it.

    Stored as text, because jsonb cannot hold every string of JSON. They contain no secrets.
    """

    digest = models.CharField(
        max_length=64,
        unique=True,
        help_text="The SHA-256 digest of both documents, in hexadecimal.",
    )
    original = models.TextField()
    rendered = models.TextField()
    marks = models.JSONField(
        help_text="The ids of the imported alerts and history entries, in the order of the file."
    )
    imported_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"imported {self.imported_at:%Y-%m-%d %H:%M}"
