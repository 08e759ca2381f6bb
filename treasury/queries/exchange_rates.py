"""Which exchange rate counts for a day."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from treasury.models import ExchangeRate

# Over weekends and holidays the last rate counts; an older one says nothing about the day.
DAYS_MOST = 7
_EURO = "EUR"
_PLACES = 9


@dataclass(frozen=True)
class RateFound:
    """How much of one currency another one is, by these rows: one, or two over the euro."""

    rate: Decimal
    rows: tuple[ExchangeRate, ...]

    @property
    def day(self) -> date:
        """The day of the older row."""
        return min(row.day for row in self.rows)


def current_rates() -> QuerySet[ExchangeRate]:
    """The rates that no newer row corrects."""
    return ExchangeRate.objects.filter(corrected_by=None)


def rate_on(base: str, quote: str, day: date) -> RateFound | None:
    """The latest rate of at most seven days before, and on one day a person's before the bank's.

    Where there is none of the two currencies, that over the euro. None: there is none.
    """
    direct = _direct(base, quote, day)
    if direct is not None or _EURO in (base, quote):
        return direct
    into, out = _direct(base, _EURO, day), _direct(_EURO, quote, day)
    if into is None or out is None:
        return None
    return RateFound(round(into.rate * out.rate, _PLACES), into.rows + out.rows)


def _direct(base: str, quote: str, day: date) -> RateFound | None:
    """Of one row, also the other way round."""
    pair = Q(base=base, quote=quote) | Q(base=quote, quote=base)
    rows = current_rates().filter(pair, day__lte=day, day__gt=day - timedelta(days=DAYS_MOST))
    # "own" comes after "ecb".
    row = rows.order_by("-day", "-source", "-pk").first()
    if row is None:
        return None
    rate = row.rate if row.base == base else round(1 / row.rate, _PLACES)
    return RateFound(rate, (row,)) if rate else None


def rate_page(
    *,
    base: str = "",
    quote: str = "",
    since: date | None = None,
    until: date | None = None,
    after: int | None = None,
    most: int,
) -> list[ExchangeRate]:
    """Rates in the order in which they were recorded, newest first; corrected ones, too."""
    rows = ExchangeRate.objects.select_related("corrected_by").order_by("-pk")
    wanted: dict[str, Any] = {"pk__lt": after, "day__gte": since, "day__lte": until}
    wanted |= {"base": base, "quote": quote}
    return list(rows.filter(**{name: each for name, each in wanted.items() if each})[:most])
