"""Reveals: a person looks at the secret of an API key, once, with a second person's approval."""

import pgtrigger
from django.db import models

from common import row_triggers
from keys.models import ApiKey
from security.models import Approval


class Reveal(models.Model):
    """A wish to see the secret of an API key.

    asked ──approval (see `Approval`)──▶ may be shown for 15 minutes ──show──▶ shown (`shown_at`)

    The secret is shown to the person who asked, once. The row never holds it.
    """

    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, related_name="+", help_text="The API key whose secret is shown."
    )
    approval = models.OneToOneField(
        Approval,
        models.PROTECT,
        related_name="reveal",
        help_text="The approval of a second person.",
    )
    shown_at = models.DateTimeField(
        null=True, blank=True, help_text="When the secret was shown; empty before that."
    )

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("reveal_secret", "Can ask to see the secret of an API key"),
            ("decide_reveal", "Can decide whether others see the secret of an API key"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="reveal_shows_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.shown_at IS NOT NULL"),
            ),
            pgtrigger.Protect(name="reveal_is_kept", operation=pgtrigger.Delete),
            row_triggers.write_once("reveal_keeps_its_key", "api_key", "approval"),
        ]

    def __str__(self) -> str:
        return f"the secret of {self.api_key_id}"
