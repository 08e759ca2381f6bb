"""Which models an API key serves, and at what price."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase

from django.db import transaction

from keys.audit_actions import Action
from keys.models import ApiKey, CatalogueModel, Price, Provider, ServedModel
from keys.patterns import is_pattern
from keys.reasons import check_reason
from keys.refusals import ApiKeyNotFound
from keys.supply import pricing
from keys.supply.bundled_models import (
    SOURCE,
    BundledModel,
    bundled_columns,
    bundled_model,
    bundled_models,
)
from keys.supply.pricing import Rates
from keys.supply.services.price_book import bundled_prices, new_price, no_price
from security import audit
from security.actor import Actor


@transaction.atomic
def set_served_models(
    slug: str,
    *,
    serves: Iterable[str],
    rates: Mapping[str, Rates] | None = None,
    actor: Actor,
    reason: str,
    now: datetime,
) -> ApiKey:
    """Say which of its provider's models a key serves besides its own: names, or patterns such as
    `gpt-4o*` or `*`, and the `rates` of those that do not cost what the price book says.

    A pattern stands for the models of the catalogue that have a price. Refusals: ApiKeyNotFound,
    WrongValue (a name that has no price).
    """
    check_reason(reason)
    api_key = ApiKey.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    before = {"serves": api_key.serves}
    write(api_key, serves=list(serves), rates=rates or {}, actor=actor, now=now)
    # Also where it stayed the same: the gateway reads the models again when the row is new.
    api_key.save(update_fields=["serves"])
    audit.record(
        actor=actor,
        action=Action.KEY_CHANGE_MODELS,
        subject=api_key.scope,
        before=before,
        after={
            "serves": api_key.serves,
            "rates": {model: pricing.rates_as_json(each) for model, each in (rates or {}).items()},
        },
        reason=reason,
        at=now,
    )
    return api_key


def write(
    api_key: ApiKey,
    *,
    serves: list[str],
    rates: Mapping[str, Rates] | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """The rows of what a key serves, in the caller's transaction; the key's row is not saved."""
    provider = api_key.provider
    own = {
        model: new_price(provider, model, each, source=actor.name, now=now)
        for model, each in (rates or {}).items()
    }
    api_key.serves = serves
    entries = _catalogue(provider, [api_key.model, *serves, *own])
    prices = {
        **bundled_prices(provider, entries.keys() - {api_key.model}, now=now),
        **_own_prices(api_key),
        **own,
        api_key.model: api_key.price,
    }
    if unpriced := [name for name in serves if name not in prices and not is_pattern(name)]:
        raise no_price(provider, unpriced[0], field="serves")
    priced = {name: entry for name, entry in entries.items() if name in prices}
    api_key.served_models.exclude(model__in=priced.values()).delete()
    ServedModel.objects.bulk_create(
        [ServedModel(api_key=api_key, model=priced[name], price=prices[name]) for name in priced],
        update_conflicts=True,
        unique_fields=["api_key", "model"],
        update_fields=["price"],
    )


def write_default_price(api_key: ApiKey) -> None:
    """The key's own model costs there what the key says."""
    api_key.served_models.filter(model__name=api_key.model).update(price=api_key.price)


def _own_prices(api_key: ApiKey) -> dict[str, Price]:
    """Prices that a person gave models of this key: they stay when the list changes."""
    rows = api_key.served_models.select_related("price", "model").exclude(price__source=SOURCE)
    return {row.model.name: row.price for row in rows}


def _catalogue(provider: Provider, serves: list[str]) -> dict[str, CatalogueModel]:
    """The lines of the catalogue that these names and patterns stand for, added where missing."""
    patterns = [each for each in serves if is_pattern(each)]
    names = [each for each in serves if not is_pattern(each)]
    if patterns:
        _add(provider, bundled_models(provider.pk))
    _add(provider, [bundled_model(provider.pk, name) for name in names])
    return {
        entry.name: entry
        for entry in CatalogueModel.objects.filter(provider=provider)
        if entry.name in names or any(fnmatchcase(entry.name, pattern) for pattern in patterns)
    }


def _add(provider: Provider, models: list[BundledModel]) -> None:
    CatalogueModel.objects.bulk_create(
        [
            CatalogueModel(provider=provider, source=SOURCE, **bundled_columns(model))
            for model in models
        ],
        ignore_conflicts=True,
    )
