"""Rates as JSON, for a row or a response."""

from collections.abc import Iterable, Mapping
from datetime import time
from decimal import Decimal
from typing import Any

from keys.supply.pricing.rates import NO_FEES, RATE_NAMES, STANDARD, Rates, Tier, Variant

_LISTS = ("tiers", "variants")


def rates_as_json(rates: Rates) -> dict[str, object]:
    """The rates as decimal strings, for a jsonb column or a response."""
    stored: dict[str, object] = {
        name: format(rate, "f") for name, rate in zip(RATE_NAMES, rates.all, strict=True)
    }
    for name, default in NO_FEES.items():
        if (fee := getattr(rates, name)) != default:
            stored[name] = format(fee, "f")
    if rates.tiers:
        stored["tiers"] = tiers_as_json(rates.tiers)
    if rates.variants:
        stored["variants"] = variants_as_json(rates.variants)
    return stored


def rates_from_json(stored: Mapping[str, Any]) -> Rates:
    """Read what `rates_as_json` wrote; TypeError for numbers that are not strings (floats)."""
    rates = {name: _decimal(name, rate) for name, rate in stored.items() if name not in _LISTS}
    return Rates(
        **rates,
        tiers=tiers_from_json(stored.get("tiers", ())),
        variants=variants_from_json(stored.get("variants", ())),
    )


def tiers_as_json(tiers: Iterable[Tier]) -> list[dict[str, object]]:
    """Tiers as a Price row stores them: their rates, and `from_tokens` as a number."""
    return [{"from_tokens": tier.from_tokens} | rates_as_json(tier.rates) for tier in tiers]


def tiers_from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Tier, ...]:
    """Read what `tiers_as_json` wrote."""
    return tuple(_tier_from_json(**tier) for tier in stored)


def variants_as_json(variants: Iterable[Variant]) -> list[dict[str, object]]:
    """Variants as a Price row stores them: their rates, and when these apply."""
    return [
        {
            "service_tier": variant.service_tier,
            "starts": variant.starts and variant.starts.isoformat(),
            "ends": variant.ends and variant.ends.isoformat(),
        }
        | ({"search_kind": variant.search_kind} if variant.search_kind else {})
        | rates_as_json(variant.rates)
        for variant in variants
    ]


def variants_from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Variant, ...]:
    """Read what `variants_as_json` wrote."""
    return tuple(_variant_from_json(**variant) for variant in stored)


def _variant_from_json(
    *,
    service_tier: str = STANDARD,
    starts: str | None,
    ends: str | None,
    search_kind: str = "",
    **rates: Any,
) -> Variant:
    return Variant(rates_from_json(rates), service_tier, _time(starts), _time(ends), search_kind)


def _time(stored: str | None) -> time | None:
    return None if stored is None else time.fromisoformat(stored)


def _tier_from_json(*, from_tokens: int, **rates: Any) -> Tier:
    return Tier(from_tokens, rates_from_json(rates))


def _decimal(name: str, stored: object) -> Decimal:
    if not isinstance(stored, str):
        raise TypeError(f"Write the rate {name} as a decimal in a string, not {stored!r}.")
    return Decimal(stored)
