"""Which exchange rate counts for a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from django.db.models import Q, QuerySet

from treasury.ledger_days import ledger_day
from treasury.models import ExchangeRate, Payee

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


@dataclass(frozen=True)
class Price:
    """What a rail pays for credit, in its own currency, and by which rate."""

    amount: Decimal
    currency: str
    found: RateFound


def price_by_rail(payee: Payee, amount: Decimal, *, day: date) -> Price | None:
    """What a rail of another currency pays on that day for so much credit, rounded up to the places
    of the rail. None: no rate is known."""
    rail = payee.rail_account
    found = rate_on(rail.currency, payee.credit_account.currency, day)
    if found is None:
        return None
    places = Decimal(1).scaleb(-rail.scale)
    return Price((amount / found.rate).quantize(places, rounding=ROUND_UP), rail.currency, found)


def price_of_100(payee: Payee, *, now: datetime) -> Price | None:
    """What 100 of the credit cost now. None: the rail pays its currency, or no rate is known."""
    return price_by_rail(payee, Decimal(100), day=ledger_day(now)) if payee.is_exchanged else None


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
