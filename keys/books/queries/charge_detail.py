"""What explains one charge: its price, its API key, and the windows that it counts in."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from keys.books import selection
from keys.books.services.usage import Usage
from keys.models import Charge, Decision, Rotation, Window
from keys.supply.pricing import PricedPart

NANO = Decimal("1e-9")


class PriceOfCharge(NamedTuple):
    """How the cost of a settled charge adds up, in USD: `parts`, `rounding` and `difference`.

    `difference`: what it cost beside the price of what it used, as when a hold was charged whole.
    """

    parts: list[PricedPart]
    rounding: Decimal
    difference: Decimal


class KeyReason(NamedTuple):
    """Why a charge is on its API key: the candidates when it was lent, or the last rotation."""

    candidates: list[dict[str, Any]]
    provider_expanded: bool
    rotation: Rotation | None


def price_of_charge(charge: Charge) -> PriceOfCharge:
    """The parts of a settled charge at the rates that its price row has kept."""
    counts = {name: getattr(charge, name) for name in Usage().as_columns() if name != "tokens"}
    usage = Usage(**counts, search_kind=charge.search_kind, total=charge.tokens)
    at = charge.settled_at or charge.created_at
    parts = usage.priced_parts(charge.price, service_tier=charge.service_tier, at=at)
    exact = sum((part.cost for part in parts), Decimal(0))
    rounded = exact.quantize(NANO, ROUND_HALF_UP)
    return PriceOfCharge(parts, rounded - exact, charge.cost - rounded)


def reason_of_key(charge: Charge) -> KeyReason:
    """Why the charge is on its API key; two queries."""
    moved = Rotation.objects.filter(
        allocation=charge.allocation_id,
        to_key=charge.api_key_id,
        created_at__lte=charge.created_at,
    )
    decision = Decision.objects.filter(pk=charge.allocation_id).first()
    stored = selection.from_json(decision.verdicts) if decision else {}
    return KeyReason(
        stored.get("candidates", []), stored.get("provider_expanded", False), moved.last()
    )


def windows_of_charge(charge: Charge) -> QuerySet[Window]:
    """The windows of the key, the agent and the cost centres in which a settled charge counts."""
    return (
        Window.objects.filter(
            scope__in=[f"key:{charge.api_key_id}", *charge.allocation.payers],
            starts_at__lte=charge.settled_at,
            ends_at__gt=charge.settled_at,
        )
        .select_related("limit")
        .order_by("scope", "unit", "ends_at")
    )
