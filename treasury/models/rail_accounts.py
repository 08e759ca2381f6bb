"""Rail accounts: the organisation's accounts with vendors that move real money."""

from typing import Any
from uuid import uuid4

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from security.fields import SealedField
from security.models import Approval
from treasury.models.two_persons import persons_field
from treasury.rails.base import Mode


class RailMode(models.TextChoices):
    """Whether a rail account moves real money."""

    SANDBOX = Mode.SANDBOX.value, "sandbox: play money"
    LIVE = Mode.LIVE.value, "live: real money"


class RailAccount(models.Model):
    """The organisation's account with a vendor: a rail of its own, which payees name by `slug`.

    It is switched off at first: nothing is sent to pay or collect. One person asks to switch it on
    and another approves it, for the secret and the settings that it has then; who replaces either
    switches it off. `webhook_key` is in the address that the vendor calls.
    """

    slug = models.SlugField(
        primary_key=True, max_length=40, help_text="The name of the rail. It cannot be changed."
    )
    kind = models.CharField(max_length=40, help_text="The vendor, such as stripe.")
    mode = models.CharField(max_length=7, choices=RailMode, help_text="Whether it is real money.")
    settings: "models.JSONField[Any, Any]" = models.JSONField(
        default=dict, blank=True, help_text="What the vendor needs to know that is not secret."
    )
    sealed_secret = SealedField(bound_to="slug", null=True)
    sealed_webhook_secret = SealedField(bound_to="slug", null=True)
    secret_changed_at = models.DateTimeField(null=True)
    webhook_key = models.UUIDField(unique=True, default=uuid4, editable=False)
    created_at = models.DateTimeField()
    enabled_at = models.DateTimeField(null=True)
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()
    tested_at = models.DateTimeField(null=True, help_text="When the connection was tested last.")
    last_error = models.CharField(
        max_length=300, blank=True, help_text="Why the vendor did not answer as it should."
    )
    last_error_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["slug"]
        permissions = [
            ("manage_rails", "Can connect rails, replace their secrets and switch them off")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(mode__in=["sandbox", "live"]), name="railaccount_mode_is_known"
            ),
            models.CheckConstraint(
                condition=Q(enabled_at=None)
                | Q(approval__isnull=False, sealed_secret__isnull=False)
                & ~Q(approved_persons__len=0)
                & ~Q(approved_persons__overlap=F("asked_persons")),
                name="railaccount_is_switched_on_by_two_persons",
            ),
            models.CheckConstraint(
                condition=Q(last_error="", last_error_at=None)
                | ~Q(last_error="") & Q(last_error_at__isnull=False),
                name="railaccount_error_says_when",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "railaccount_keeps_its_terms", "slug", "kind", "mode", "webhook_key", "created_at"
            ),
            pgtrigger.Protect(name="railaccount_is_kept", operation=pgtrigger.Delete),
            row_triggers.not_truncated("railaccount_is_not_truncated"),
            # A secret that is sealed with another key is the same secret: its moment tells.
            pgtrigger.Protect(
                name="railaccount_is_as_approved",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.enabled_at IS NOT NULL AND (OLD.enabled_at IS NULL AND"
                    " OLD.approval_id IS NOT DISTINCT FROM NEW.approval_id"
                    " OR OLD.enabled_at IS NOT NULL AND (OLD.settings, OLD.secret_changed_at)"
                    " IS DISTINCT FROM (NEW.settings, NEW.secret_changed_at))"
                ),
            ),
            pgtrigger.Protect(
                name="railaccount_is_off_at_first",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.enabled_at IS NOT NULL"),
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def address(self) -> str:
        """The rail's name in the audit."""
        return f"rail:{self.slug}"

    @property
    def is_play_money(self) -> bool:
        """Whether it moves no real money."""
        return self.mode == RailMode.SANDBOX
