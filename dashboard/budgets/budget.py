"""A budget as pages show it: a limit with what grants allow, and where it lands."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from common import formatting
from dashboard import charts
from dashboard.charts import MeterPart
from keys.books.queries.pages import Meter
from keys.limits import periods
from prediction.run_rate.landing import Landing, landing_of_meter


class Budget(NamedTuple):
    """A limit now; `landing` is None where nothing can be expected: of a limit in total, and with
    too little history."""

    meter: Meter
    landing: Landing | None = None

    @property
    def amount(self) -> Decimal:
        """What may be used in the period, with grants."""
        return self.meter.amount + self.meter.granted

    @property
    def variance(self) -> Decimal | None:
        """How much of the budget will be left; below zero, how much it lacks."""
        return None if self.landing is None else self.amount - self.landing.cost

    @property
    def is_over(self) -> bool:
        """Whether it lands above the budget."""
        return self.variance is not None and self.variance < 0

    @property
    def text(self) -> str:
        """`$12.00 of $50.00 spent, $3.00 committed, $60.00 expected`."""
        unit = self.meter.unit
        used, committed, amount = (
            formatting.quantity(number, unit=unit)
            for number in (self.meter.used, self.meter.committed, self.amount)
        )
        words = f"{used} of {amount} spent, {committed} committed"
        if self.landing is None:
            return words
        return f"{words}, {formatting.quantity(self.landing.cost, unit=unit)} expected"

    @property
    def bar(self) -> SafeString:
        """Spent and committed as parts of the budget, with a mark where it lands."""
        return charts.meter(
            [
                MeterPart(self.meter.used, "hot" if self.is_over else "used"),
                MeterPart(self.meter.committed, "committed"),
            ],
            whole=self.amount,
            label=self.text,
            mark=self.landing and self.landing.cost,
        )


def limit_title(unit: str, period: str) -> str:
    """`USD a month`, `Tokens in total`."""
    words = "USD" if unit == "usd" else "Tokens"
    return f"{words} {periods.phrase(period)}"


def landed(meter: Meter, spent: Mapping[date, Decimal], *, zone: ZoneInfo, now: datetime) -> Budget:
    """The budget of a meter; `spent` is what was used on each day of the reporting zone."""
    return Budget(meter, landing_of_meter(meter, spent, zone=zone, now=now))
