"""What the page of a charge shows."""

from decimal import Decimal
from typing import Any, NamedTuple

from common.admin.visible_rows import visible_to
from dashboard.spend.dimensions import task_url
from gateway.models import Exchange
from keys.books.queries.charge_detail import (
    PriceOfCharge,
    price_of_charge,
    reason_of_key,
    windows_of_charge,
)
from keys.books.queries.charges import figures
from keys.models import Charge
from keys.supply.pricing import NO_FEES

CANDIDATES_SHOWN = 10
_PARTS = {
    "input": "Input",
    "cached": "Input read from a cache",
    "cache_write": "Input written to a cache",
    "cache_write_long": "Input written to a cache for an hour",
    "audio_input": "Audio input",
    "image_input": "Image input",
    "output": "Output",
    "audio_output": "Audio output",
    "image_output": "Image output",
    "unknown": "Tokens of an unknown kind, at the highest rate",
    "request": "Request",
    "web_search": "Web searches",
}
_PLACES = 9


class Line(NamedTuple):
    """A line of the price: a number of something times its rate, or an amount alone."""

    title: str
    number: int | None
    rate: Decimal | None
    cost: str


def charge_page(user: Any, charge: Charge) -> dict[str, Any]:
    """The context of the page; at most ten queries."""
    settled = charge.status == Charge.Status.SETTLED
    context: dict[str, Any] = {
        "charge": charge,
        "task_url": task_url(charge.allocation.label),
        "why": (why := reason_of_key(charge)),
        "candidates": why.candidates[:CANDIDATES_SHOWN],
        "candidates_more": max(len(why.candidates) - CANDIDATES_SHOWN, 0),
        "exchange": _has_exchange(user, charge),
    }
    if settled:
        context["lines"] = price_lines(charge, price_of_charge(charge))
        context["adjustments"] = charge.adjustments.order_by("pk")
        context["counted"] = figures(charge)
        context["windows"] = visible_to(user, windows_of_charge(charge))
    if charge.provider_cost is not None:
        context["provider_more"] = charge.provider_cost - charge.cost
    return context


def price_lines(charge: Charge, price: PriceOfCharge) -> list[Line]:
    """The lines whose sum is the cost of the charge, exactly."""
    amounts = [*(part.cost for part in price.parts), price.rounding, price.difference]
    places = max(_PLACES, *(-int(each.normalize().as_tuple().exponent) for each in amounts))
    lines = [
        Line(_PARTS[part.kind], part.number, part.rate, f"{part.cost:,.{places}f}")
        for part in price.parts
        if part.rate or part.kind not in NO_FEES
    ]
    others = {"Rounded to nine places": price.rounding, _difference(charge): price.difference}
    return lines + [
        Line(title, None, None, f"{amount:,.{places}f}")
        for title, amount in others.items()
        if amount
    ]


def _difference(charge: Charge) -> str:
    if charge.basis == Charge.Basis.ESTIMATED:
        return "Charged as much as was set aside, since no usage was reported"
    return "Charged otherwise than by these rates"


def _has_exchange(user: Any, charge: Charge) -> bool:
    if not user.has_perm("gateway.view_exchange"):
        return False
    return visible_to(user, Exchange.objects.filter(pk=charge.pk)).exists()
