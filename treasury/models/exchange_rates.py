"""Exchange rates: how much of one currency another one is on a day, by whom."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers


class RateSource(models.TextChoices):
    """Who says so."""

    ECB = "ecb", "European Central Bank"
    OWN = "own", "a person"


_CORRECTS_ITS_OWN = pgtrigger.Trigger(
    name="exchangerate_corrects_its_own",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    condition=pgtrigger.Condition("NEW.corrects_id IS NOT NULL"),
    func="""
        IF NOT EXISTS (
            SELECT FROM treasury_exchangerate r WHERE r.id = NEW.corrects_id
               AND (r.base, r.quote, r.day, r.source)
                 = (NEW.base, NEW.quote, NEW.day, NEW.source)) THEN
            RAISE check_violation USING CONSTRAINT = 'exchangerate_corrects_its_own',
                MESSAGE = 'exchangerate_corrects_its_own: it is of another day or currency';
        END IF;
        RETURN NEW;
    """,
)


class ExchangeRate(models.Model):
    """One `base` is `rate` of `quote` on a day, by one source.

    A row is never changed. A rate that was wrong is corrected by a newer row that names it in
    `corrects` and says why; the last one of such a chain counts.
    """

    base = models.CharField(max_length=5, help_text="The currency of which one is changed.")
    quote = models.CharField(max_length=5, help_text="The currency that it is changed to.")
    day = models.DateField(help_text="The day of the rate.")
    rate = models.DecimalField(
        max_digits=20, decimal_places=9, help_text="How much of the second currency one is."
    )
    source = models.CharField(max_length=3, choices=RateSource, help_text="Who says so.")
    reason = models.CharField(max_length=300, blank=True, help_text="Why a person entered it.")
    corrects = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        related_name="corrected_by",
        help_text="What it corrects.",
    )
    file_digest = models.BinaryField(
        max_length=32, null=True, help_text="The SHA-256 of the file that it is from."
    )
    recorded_by = models.CharField(max_length=200, help_text="Who recorded it.")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "base", "quote", "-id"]
        permissions = [("record_rates", "Can record exchange rates and exchanges")]
        constraints = [
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchangerate_is_positive"),
            models.CheckConstraint(
                condition=Q(base__regex=r"^[A-Z]{3,5}$", quote__regex=r"^[A-Z]{3,5}$")
                & ~Q(base=F("quote")),
                name="exchangerate_has_two_currencies",
            ),
            models.UniqueConstraint(
                fields=["base", "quote", "day", "source"],
                condition=Q(corrects=None),
                name="exchangerate_is_told_once",
            ),
            models.CheckConstraint(
                condition=Q(source="ecb", corrects=None) | ~Q(reason=""),
                name="exchangerate_of_a_person_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(source="ecb", file_digest__isnull=False)
                | Q(source="own", file_digest=None),
                name="exchangerate_of_a_bank_has_a_file",
            ),
        ]
        indexes = [models.Index(fields=["quote", "base", "-day"], name="exchangerate_by_currency")]
        triggers = [
            _CORRECTS_ITS_OWN,
            row_triggers.append_only("exchangerate_is_append_only"),
            row_triggers.not_truncated("exchangerate_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"1 {self.base} = {self.rate.normalize():f} {self.quote} on {self.day}"
