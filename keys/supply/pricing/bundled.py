"""The prices in the data of the package genai-prices, and fees that it does not have."""

import re
import tomllib
from dataclasses import replace
from datetime import datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from genai_prices import data_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    TieredPrices,
    TimeOfDateConstraint,
)

from keys.supply.known_providers import without_account
from keys.supply.pricing.costs import EXACT, NANO
from keys.supply.pricing.rates import NO_FEES, ZERO, Rates, Tier, Variant

# Names that people give a provider and genai-prices does not know by itself.
_PROVIDERS = {
    "amazon": "aws",
    "azure-openai": "azure",
    "claude": "anthropic",
    "google-ai": "google",
    "grok": "x-ai",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "together-ai": "together",
    "xai": "x-ai",
}


def default_rates(provider_slug: str, model: str, *, at: datetime) -> Rates | None:
    """Return the rates of `model` at the moment `at` from genai-prices, or None if it has none.

    Only the data bundled with the package, never the network. Where a price depends on the service
    tier, the time of the day or the kind of search, the other prices are variants. Fees that the
    package does not have are those of `search_fees.toml`. A model whose name ends in `:free`
    and has no price costs nothing; any other without a price per token is unknown. A cache write
    kept an hour costs twice the input with Anthropic, as it publishes, where the data does not say.
    """
    match = _find_model(provider_slug, model)
    if match is None:
        return None
    provider, found = match[0].id, match[1]
    standard, hourly = _standard_prices(found, at=at)
    if standard.input_mtok is None:
        return Rates(input=ZERO, output=ZERO) if model.lower().endswith(":free") else None
    variants = [
        Variant(
            _rates(each.prices, provider=provider),
            starts=_utc_time(constraint.start_time),
            ends=_utc_time(constraint.end_time),
        )
        for each, constraint in hourly
    ]
    variants += [
        Variant(_rates(prices, provider=provider), service_tier=tier)
        for tier, prices in _tier_prices(found, at=at).items()
        if prices != standard
    ]
    return _with_fees(
        replace(_rates(standard, provider=provider), variants=tuple(variants)),
        provider=provider,
        names=(model.lower().rsplit("/", 1)[-1], found.id.lower()),
    )


_FEES = Path(__file__).parent.parent / "data" / "search_fees.toml"


def _with_fees(rates: Rates, *, provider: str, names: tuple[str, ...]) -> Rates:
    """The rates with the fees that the data of the package does not have, also in the variants."""
    entries = [each for each in _fees() if each["provider"] == provider]
    fitting = (each for name in names for each in entries if re.fullmatch(each["models"], name))
    entry = next(fitting, {})
    rates = replace(rates, **_decimals(entry))
    fees = {name: getattr(rates, name) for name in NO_FEES}
    variants = [each._replace(rates=replace(each.rates, **fees)) for each in rates.variants]
    variants += [
        Variant(replace(rates, variants=(), **_decimals(kind)), search_kind=name)
        for name, kind in entry.get("kinds", {}).items()
    ]
    return replace(rates, variants=tuple(variants))


def _decimals(fees: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(fees[name]) for name in NO_FEES if name in fees}


@cache
def _fees() -> list[dict[str, Any]]:
    fees: list[dict[str, Any]] = tomllib.loads(_FEES.read_text())["fees"]
    return fees


_Hourly = list[tuple[ConditionalPrice, TimeOfDateConstraint]]


def _standard_prices(model: ModelInfo, *, at: datetime) -> tuple[ModelPrice, _Hourly]:
    """The prices of the day of `at`, and those of parts of the day; the first that covers a time
    applies."""
    if isinstance(model.prices, ModelPrice):
        return model.prices, []
    base = model.prices[0].prices
    hourly: _Hourly = []
    for each in model.prices:
        if isinstance(each.constraint, TimeOfDateConstraint):
            hourly.insert(0, (each, each.constraint))
        elif each.constraint is None or each.constraint.active(at):
            base, hourly = each.prices, []
    return base, hourly


def _tier_prices(model: ModelInfo, *, at: datetime) -> dict[str, ModelPrice]:
    """The prices of each service tier besides the standard one."""
    found = {}
    for variant in model.price_variants or ():
        if len(variant.when) == 1:
            ((key, value),) = variant.when.items()
            if key in _TIER_KEYS and value != "default":
                found[str(value)] = model.get_prices(at, {key: value})
    return found


def _rates(prices: ModelPrice, *, provider: str) -> Rates:
    stored = [getattr(prices, name) for name in _BUNDLED.values()]
    starts = {
        tier.start for rate in stored if isinstance(rate, TieredPrices) for tier in rate.tiers
    }
    tiers = tuple(
        Tier(start, rates_above(prices, start=start, provider=provider)) for start in sorted(starts)
    )
    return replace(rates_above(prices, start=0, provider=provider), tiers=tiers)


def _utc_time(moment: time) -> time:
    """The bundled times are in UTC."""
    return moment.replace(tzinfo=None)


# How a price variant says that it is that of a service tier. A batch is one, too.
_TIER_KEYS = ("service_tier", "processing")

# What genai-prices calls each rate, in US dollars per million tokens.
_BUNDLED = {
    "input": "input_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_long": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "image_input": "input_image_mtok",
    "output": "output_mtok",
    "audio_output": "output_audio_mtok",
    "image_output": "output_image_mtok",
}


def bundled_provider_id(provider_slug: str) -> str:
    """The name of a provider in genai-prices, without the number of an account."""
    name = without_account(provider_slug.strip().lower())
    return _PROVIDERS.get(name, name)


def _find_model(provider_slug: str, model: str) -> tuple[Provider, ModelInfo] | None:
    try:
        return data_snapshot.get_snapshot().find_provider_model(
            model, None, bundled_provider_id(provider_slug), None
        )
    except LookupError:
        return None


def rates_above(prices: ModelPrice, *, start: int, provider: str) -> Rates:
    """The rates of a prompt of more than `start` tokens, up to the next tier."""
    rates = {name: _per_thousand(getattr(prices, key), start) for name, key in _BUNDLED.items()}
    base = rates.pop("input")
    if base is None:
        raise ValueError("The prices of the model have no price of input tokens.")
    if provider == "anthropic" and rates["cache_write"] and rates["cache_write_long"] is None:
        rates["cache_write_long"] = 2 * base
    # Embeddings have no output.
    output = rates.pop("output") or ZERO
    return Rates(
        input=base,
        output=output,
        cached=rates["cached"],
        cache_write=rates["cache_write"],
        cache_write_long=rates["cache_write_long"],
        audio_input=rates["audio_input"],
        audio_output=rates["audio_output"],
        image_input=rates["image_input"],
        image_output=rates["image_output"],
        request=_dearest(prices.requests_kcount) or ZERO,
        web_search=_dearest(prices.web_searches_kcount),
    )


def _dearest(fee: Decimal | TieredPrices | None) -> Decimal | None:
    """A fee; of several by number, which one call does not know, the highest."""
    if isinstance(fee, TieredPrices):
        return max(fee.base, *(tier.price for tier in fee.tiers))
    return fee


def _per_thousand(per_million: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    if isinstance(per_million, TieredPrices):
        reached = [tier.price for tier in per_million.tiers if tier.start <= start]
        per_million = reached[-1] if reached else per_million.base
    if per_million is None:
        return None
    # Nine places, as a Price row has: some bundled prices carry the dust of a float (…00002).
    return per_million.scaleb(-3, EXACT).quantize(NANO, ROUND_HALF_UP, EXACT)
