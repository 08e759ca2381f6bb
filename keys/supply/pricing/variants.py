"""Rates of another service tier, time of the day or kind of search than the standard ones."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from keys.supply.pricing.costs import EXACT
from keys.supply.pricing.rates import RATE_NAMES, STANDARD, Rates, Tier

_FACTORS: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "service_tiers.toml").read_text()
)
_DEFAULT = _FACTORS["default"]


def served_rates(
    rates: Rates, *, provider: str, service_tier: str, at: datetime, search_kind: str = ""
) -> Rates:
    """The rates of a request that `provider` served as `service_tier` and completed at `at`.

    A tier that neither the price nor the provider's documentation knows has the standard rates, and
    so has a kind of search.
    """
    served = _served_as(rates, provider=provider, service_tier=service_tier, at=at)
    kinds = (each for each in rates.variants if search_kind and each.search_kind == search_kind)
    if kind := next(kinds, None):
        return replace(served, request=kind.rates.request, web_search=kind.rates.web_search)
    return served


def _served_as(rates: Rates, *, provider: str, service_tier: str, at: datetime) -> Rates:
    tier = service_tier or STANDARD
    if tier != STANDARD and not any(each.service_tier == tier for each in rates.variants):
        standard = _served_as(rates, provider=provider, service_tier=STANDARD, at=at)
        factor = _FACTORS.get(provider, _DEFAULT).get(tier)
        return scale(standard, Decimal(factor)) if factor else standard
    time_of_day = at.astimezone(UTC).time()
    for variant in rates.variants:
        is_tier = variant.service_tier == tier and not variant.search_kind
        if is_tier and variant.covers(time_of_day):
            return variant.rates
    return rates


def scale(rates: Rates, factor: Decimal) -> Rates:
    """The rates times a factor, not rounded, without variants."""
    scaled = {
        name: EXACT.multiply(rate, factor) for name, rate in zip(RATE_NAMES, rates.all, strict=True)
    }
    tiers = tuple(Tier(tier.from_tokens, scale(tier.rates, factor)) for tier in rates.tiers)
    return replace(rates, **scaled, tiers=tiers, variants=())
