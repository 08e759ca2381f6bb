"""Kept prompts and answers, and for how long a cost centre keeps them."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from keys.models import Charge, CostCentre
from security.fields import SealedField

DAYS_MAX = 3650


class Retention(models.Model):
    """For how many days prompts and answers of a cost centre, and of those below it, are kept.

    The nearest row with a number applies, from the paying cost centre up to the root; without one,
    nothing is kept. The audit has every earlier value.
    """

    cost_centre = models.OneToOneField(
        CostCentre, models.PROTECT, primary_key=True, related_name="retention"
    )
    days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="With 0 nothing is kept. Leave empty to inherit from the cost centre above.",
    )
    changed_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["cost_centre"]
        constraints = [
            models.CheckConstraint(
                condition=Q(days__isnull=True) | Q(days__lte=DAYS_MAX),
                name="retention_is_at_most_ten_years",
            )
        ]
        triggers = [
            row_triggers.write_once("retention_keeps_its_cost_centre", "cost_centre"),
            pgtrigger.Protect(name="retention_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"retention of {self.cost_centre_id}"


class Exchange(models.Model):
    """One call's request and answer, as they were sent, until `expires_at`.

    kept ──less retention──▶ kept for less long ──`expires_at`──▶ deleted, by `forget_expired`

    The contents are sealed with a key of their own, and that key is sealed into the row: when the
    vault is rekeyed, only the small key is sealed again. Not `complete`: the stream was cut, and
    the answer is what came until then. `request_bytes` and `answer_bytes` are sizes before
    compression.
    """

    # Without a constraint, because charges move to partitions.
    charge = models.OneToOneField(
        Charge, models.PROTECT, primary_key=True, related_name="exchange", db_constraint=False
    )
    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="exchanges")
    content_key = SealedField(bound_to="charge")
    request = models.BinaryField()
    answer = models.BinaryField()
    request_bytes = models.PositiveIntegerField()
    answer_bytes = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(help_text="HTTP status of the answer.")
    media_type = models.CharField(
        max_length=200, blank=True, help_text="The media type of the answer."
    )
    complete = models.BooleanField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-charge_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gte=F("created_at")),
                name="exchange_expires_after_it_was_kept",
            )
        ]
        indexes = [
            # For gateway.jobs.forget_expired.
            models.Index(fields=["expires_at"], name="exchange_by_expiry")
        ]
        triggers = [
            # `UPDATE OF` does not read the contents to see whether they changed.
            pgtrigger.Protect(
                name="exchange_keeps_its_contents",
                operation=pgtrigger.UpdateOf(  # type: ignore[no-untyped-call]
                    "charge_id",
                    "cost_centre_id",
                    "request",
                    "answer",
                    "request_bytes",
                    "answer_bytes",
                    "status",
                    "media_type",
                    "complete",
                    "created_at",
                ),
            ),
            pgtrigger.Protect(
                name="exchange_is_never_kept_longer",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__expires_at__gt=pgtrigger.F("old__expires_at")),
            ),
            pgtrigger.Protect(
                name="exchange_is_kept_until_it_expires",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.expires_at > now()"),
            ),
        ]

    def __str__(self) -> str:
        return f"exchange of charge {self.pk}"


class RepeatedInput(models.Model):
    """How much input of an agent's calls in one quarter of an hour was sent shortly before.

    Of the quarters that are looked at, those with calls; of the calls, those that the provider
    reported the input of. `repeated_tokens` began a call of the five minutes before, too;
    `cached_tokens` were read from the provider's cache, `missed_tokens` were repeated and not,
    `fresh_tokens` are neither repeated nor read from a cache nor written to one.
    """

    starts_at = models.DateTimeField()
    agent = models.CharField(max_length=64)
    api_key = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    repeated_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    missed_tokens = models.BigIntegerField(default=0)
    fresh_tokens = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["starts_at", "agent", "api_key", "model"],
                name="repeatedinput_once_per_quarter",
            )
        ]

    def __str__(self) -> str:
        return f"repeated input of {self.agent} from {self.starts_at:%Y-%m-%d %H:%M}"
