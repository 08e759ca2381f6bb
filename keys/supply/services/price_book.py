"""Add lines to the price book."""

from collections.abc import Iterable
from datetime import datetime

from keys.models import Price, Provider
from keys.refusals import WrongValue
from keys.supply import pricing
from keys.supply.bundled_models import SOURCE, resembled_model
from keys.supply.pricing import Rates
from security.actor import Actor


def price_for(
    provider: Provider, model: str, rates: Rates | None, *, actor: Actor, now: datetime
) -> Price:
    """A line with these rates, or else with the bundled ones. Refusals: WrongValue."""
    if rates is not None:
        return new_price(provider, model, rates, source=actor.name, now=now)
    if price := bundled_prices(provider, [model], now=now).get(model):
        return price
    raise no_price(provider, model, field="rates")


def no_price(provider: Provider, model: str, *, field: str) -> WrongValue:
    """A model that has no price, perhaps because it is misspelt."""
    meant = resembled_model(provider.pk, model)
    return WrongValue(
        f"The price book has no price for the model {model} of {provider.pk}. "
        + (f"Did you mean {meant}? If not, enter" if meant else "Enter")
        + " what 1,000 tokens of input and of output cost.",
        field=field,
    )


def bundled_prices(provider: Provider, models: Iterable[str], *, now: datetime) -> dict[str, Price]:
    """The line of each model that the bundled data has a price for, added where it is new."""
    rates = {model: pricing.default_rates(provider.pk, model, at=now) for model in models}
    known = {model: each for model, each in rates.items() if each}
    lines = Price.objects.filter(provider=provider, model__in=known, source=SOURCE)
    found = {line.model: line for line in lines.order_by("pk") if line.rates == known[line.model]}
    added = Price.objects.bulk_create(
        _line(provider, model, each, source=SOURCE, now=now)
        for model, each in known.items()
        if model not in found
    )
    return found | {line.model: line for line in added}


def new_price(provider: Provider, model: str, rates: Rates, *, source: str, now: datetime) -> Price:
    """Add a line to the price book, which holds from `now` on. Refusal: WrongValue."""
    if problem := pricing.unstorable(rates):
        raise WrongValue(problem, field="rates")
    line = _line(provider, model, rates, source=source, now=now)
    line.save(force_insert=True)
    return line


def _line(provider: Provider, model: str, rates: Rates, *, source: str, now: datetime) -> Price:
    return Price(
        provider=provider,
        model=model,
        **dict(zip(pricing.RATE_NAMES, rates.all, strict=True)),
        **{name: getattr(rates, name) for name in pricing.NO_FEES},
        tiers=pricing.tiers_as_json(rates.tiers),
        variants=pricing.variants_as_json(rates.variants),
        tier_max=rates.tier_max,
        source=source[:100],
        starts_at=now,
    )
