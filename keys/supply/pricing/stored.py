"""Rates as JSON, for a row or a response."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from keys.supply.pricing.rates import RATE_NAMES, Rates, Tier


def rates_as_json(rates: Rates) -> dict[str, object]:
    """The rates as decimal strings, for a jsonb column or a response."""
    stored: dict[str, object] = {
        name: format(rate, "f") for name, rate in zip(RATE_NAMES, rates.all, strict=True)
    }
    if rates.tiers:
        stored["tiers"] = tiers_as_json(rates.tiers)
    return stored


def rates_from_json(stored: Mapping[str, Any]) -> Rates:
    """Read what `rates_as_json` wrote; TypeError for numbers that are not strings (floats)."""
    rates = {name: _decimal(name, rate) for name, rate in stored.items() if name != "tiers"}
    return Rates(**rates, tiers=tiers_from_json(stored.get("tiers", ())))


def tiers_as_json(tiers: Iterable[Tier]) -> list[dict[str, object]]:
    """Tiers as a Price row stores them: their rates, and `from_tokens` as a number."""
    return [{"from_tokens": tier.from_tokens} | rates_as_json(tier.rates) for tier in tiers]


def tiers_from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Tier, ...]:
    """Read what `tiers_as_json` wrote."""
    return tuple(_tier_from_json(**tier) for tier in stored)


def _tier_from_json(*, from_tokens: int, **rates: Any) -> Tier:
    return Tier(from_tokens, rates_from_json(rates))


def _decimal(name: str, stored: object) -> Decimal:
    if not isinstance(stored, str):
        raise TypeError(f"Write the rate {name} as a decimal in a string, not {stored!r}.")
    return Decimal(stored)
