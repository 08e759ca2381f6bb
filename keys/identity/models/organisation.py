"""The organisation: its name, calendar and the currency that its pages show."""

from calendar import day_name

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import IsNull

from keys.limits import periods

_USD = "USD"

# A fiscal year, and the time to close it.
CHARGES_KEPT_MONTHS_MIN = 13


def validate_zone(name: str) -> None:
    """Raise a ValidationError unless `name` is an IANA time zone."""
    try:
        periods.check_zone(name)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _threshold_percents() -> list[int]:
    return [80, 100]


class Organisation(models.Model):
    """The organisation whose agents spend: one row, inserted by its first change.

    Until then the defaults count. The books are kept in UTC and US dollars: the zone decides in
    which day and month pages count a charge, the rate only what they show beside the dollars.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(
        max_length=200, default="Our organisation", help_text="The name on pages and in files."
    )
    reporting_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_zone],
        help_text="The time zone in which days and months of pages and files begin and end. "
        "Limits have zones of their own.",
    )
    fiscal_year_starts = models.PositiveSmallIntegerField(
        "first month of the fiscal year",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
        help_text="Fiscal quarters and years are counted from this month. A period of a limit that "
        "runs when this changes keeps its end; the next one follows the new calendar.",
    )
    week_starts = models.PositiveSmallIntegerField(
        "first day of the week",
        default=0,
        db_default=0,
        choices=list(enumerate(day_name)),
        help_text="Limits per week begin on this day. A week of a limit that runs when this "
        "changes keeps its end; the next one follows the new calendar.",
    )
    shown_currency = models.CharField(
        max_length=3,
        default=_USD,
        validators=[RegexValidator("^[A-Z]{3}$", "Use a code of three letters, such as EUR.")],
        help_text="Where pages show the exact value of an amount, they say it in this currency, "
        "too. The books and files stay in US dollars.",
    )
    shown_rate = models.DecimalField(
        "rate",
        max_digits=18,
        decimal_places=9,
        default=1,
        validators=[MinValueValidator(0)],
        help_text="How much of the currency one US dollar is.",
    )
    shown_rate_on = models.DateField(
        "date of the rate", null=True, blank=True, help_text="The day that the rate is from."
    )
    landing_warning_percent = models.PositiveSmallIntegerField(
        "budget warning",
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Warn when a budget is expected to end its period above this percentage.",
    )
    estimated_share_warning_percent = models.PositiveSmallIntegerField(
        "warning about estimates",
        default=5,
        validators=[MaxValueValidator(100)],
        help_text="Warn when more than this percentage of a cost is estimated.",
    )
    charges_kept_months = models.PositiveSmallIntegerField(
        "months that charges are kept",
        null=True,
        blank=True,
        help_text="For how many months after their settlement single charges are kept. Sums of "
        "usage are always kept.",
    )

    budget_threshold_percents = ArrayField(
        models.PositiveSmallIntegerField(
            validators=[MinValueValidator(1), MaxValueValidator(1000)],
        ),
        default=_threshold_percents,
        db_default=[80, 100],
        blank=True,
        size=20,
        help_text="Raise an alert when a budget has used these percentages of its amount, such as "
        "50, 80, 100. A budget can have a list of its own.",
    )

    class Meta:
        permissions = [("import_usage", "Can import the usage of other systems")]
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="organisation_is_one_row"),
            models.CheckConstraint(condition=~Q(name=""), name="organisation_has_a_name"),
            # An unknown zone fails in the function itself.
            models.CheckConstraint(
                condition=IsNull(
                    Func(
                        F("reporting_zone"),
                        Value("2000-01-01 00:00+00"),
                        template="timezone(%(expressions)s::timestamptz)",
                        output_field=models.DateTimeField(),
                    ),
                    False,
                ),
                name="organisation_zone_is_known",
            ),
            models.CheckConstraint(
                condition=Q(fiscal_year_starts__range=(1, 12)),
                name="organisation_fiscal_year_starts_in_a_month",
            ),
            models.CheckConstraint(
                condition=Q(week_starts__range=(0, 6)),
                name="organisation_week_starts_on_a_day",
            ),
            models.CheckConstraint(
                condition=Q(shown_currency__regex="^[A-Z]{3}$"),
                name="organisation_currency_is_a_code",
            ),
            models.CheckConstraint(
                condition=Q(shown_rate__gt=0),
                name="organisation_rate_is_positive",
                violation_error_message="The rate must be above zero.",
            ),
            models.CheckConstraint(
                condition=Q(shown_currency=_USD, shown_rate=1, shown_rate_on=None)
                | (~Q(shown_currency=_USD) & Q(shown_rate_on__isnull=False)),
                name="organisation_rate_has_a_date",
                violation_error_message="Another currency than USD needs a rate and the date of "
                "the rate. USD has the rate 1 and no date.",
            ),
            models.CheckConstraint(
                condition=Q(
                    landing_warning_percent__range=(1, 1000),
                    estimated_share_warning_percent__range=(0, 100),
                ),
                name="organisation_thresholds_are_percentages",
            ),
            models.CheckConstraint(
                condition=Q(charges_kept_months=None)
                | Q(charges_kept_months__range=(CHARGES_KEPT_MONTHS_MIN, 1200)),
                name="organisation_keeps_charges_for_a_year",
            ),
        ]

    def __str__(self) -> str:
        return self.name
