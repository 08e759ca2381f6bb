"""What happened, who did it and why: written once."""

from django.db import models

from common import row_triggers


class History(models.Model):
    """One thing that happened to an allocation, a key or a limit, with its state before and after.

    Usage is not repeated here: a settled charge is its own record. `queries.history` reads both.
    """

    class Kind(models.TextChoices):
        ALLOCATION = "allocation"
        ROTATION = "rotation"
        USAGE_UPDATE = "usage_update"
        CLOSE = "close"
        EXTENSION = "extension"
        RESET = "reset"
        LIMIT_CHANGE = "limit_change"
        KEY_CHANGE = "key_change"
        PROVIDER_CHANGE = "provider_change"
        AGENT_CHANGE = "agent_change"
        IMPORT = "import"

    kind = models.CharField(max_length=16, choices=Kind)
    at = models.DateTimeField()
    scope = models.TextField(blank=True, help_text="`key:…`, `agent:…`, `centre:…`.")
    agent_slug = models.CharField(max_length=64, blank=True)
    session_id = models.CharField(max_length=64, blank=True)
    who = models.CharField(max_length=200)
    why = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "history"
        indexes = [
            models.Index(fields=["-at", "-id"], name="history_by_time"),
            models.Index(fields=["scope", "-id"], name="history_by_scope"),
            models.Index(fields=["session_id", "-id"], name="history_by_session"),
            models.Index(fields=["agent_slug", "-id"], name="history_by_agent"),
        ]
        triggers = [row_triggers.append_only("history_is_append_only")]

    def __str__(self):
        return f"{self.kind} {self.scope or self.session_id} {self.at:%Y-%m-%d %H:%M}"
