"""Figures as pages show them: short to read, with the exact value beside."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from common import formatting
from keys.models import Organisation

NOTHING = "—"
_CENT = Decimal("0.01")
_CENTS_BELOW = 100


class Figure(NamedTuple):
    """What a page shows of a value, and the exact value if the text is shorter."""

    text: str
    exact: str = ""


def money(amount: Decimal | int, *, shown: Organisation | None = None) -> Figure:
    """`$4,812.30`; below a dollar up to four places, below a cent the first three digits.

    If the organisation shows another currency, the exact value has the amount in it too.
    """
    sign = "−" if amount < 0 else ""
    size = abs(Decimal(amount))
    exact = f"{sign}${size:,.9f}"
    if shown and shown.shown_rate_on:
        other = f"{sign}{size * shown.shown_rate:,.2f} {shown.shown_currency}"
        exact = f"{exact}, about {other} at the rate of {shown.shown_rate_on}"
    short = size if size >= _CENT else Decimal(f"{size:.3g}")
    return Figure(f"{sign}{formatting.dollars(short)}", exact)


def about(amount: Decimal | int) -> Figure:
    """An expected amount, `$4,812`: cents only below 100 dollars, since it is no more exact."""
    exact = Decimal(amount)
    rounded = round(exact) if abs(exact) >= _CENTS_BELOW else exact
    return Figure(money(rounded).text.removesuffix(".00"), money(exact).exact)


def tokens(number: Decimal | int) -> Figure:
    """`1.23M`."""
    return Figure(formatting.short(number), f"{formatting.group_digits(number)} tokens")


def count(number: Decimal | int) -> Figure:
    """`1,234`."""
    return Figure(formatting.group_digits(number))


def percent(number: Decimal | int) -> Figure:
    """`12.3%` of a number that is in percent already; never `0.0%` for something."""
    text = f"{Decimal(number):,.1f}%"
    if number and not Decimal(number).quantize(Decimal("0.1")):
        text = "<0.1%" if number > 0 else ">−0.1%"
    return Figure(text.replace("-", "−"), f"{formatting.group_digits(number)}%")


def moment(at: datetime, *, zone: ZoneInfo) -> Figure:
    """`2026-11-26 16:40` on the clocks of `zone`."""
    local = at.astimezone(zone)
    return Figure(f"{local:%Y-%m-%d %H:%M}", f"{local:%Y-%m-%d %H:%M:%S} {zone.key}")


_OF_KIND: dict[str, Callable[[Any], Figure]] = {
    "money": money,
    "tokens": tokens,
    "count": count,
    "percent": percent,
}


def figure(value: Any, *, kind: str, zone: ZoneInfo) -> Figure:
    """A value of a table's column as its kind says; a text stays one, and None is a dash."""
    if value is None:
        return Figure(NOTHING)
    if isinstance(value, str):
        return Figure(value)
    if kind == "moment":
        return moment(value, zone=zone)
    shorten = _OF_KIND.get(kind)
    return shorten(value) if shorten else Figure(str(value))
