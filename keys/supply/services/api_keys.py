"""API keys: their terms, secrets and prices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from alerts import services as alerts
from keys import alert_kinds
from keys.audit_actions import Action
from keys.identity.services.agents import check_slug, insert
from keys.limits.services.limits import Terms, give_limit
from keys.models import ApiKey, Provider
from keys.reasons import check_reason
from keys.refusals import ApiKeyNotFound, WrongValue
from keys.supply import pricing
from keys.supply.base_urls import check_base_url
from keys.supply.key_secrets import check_secret
from keys.supply.known_providers import resembled, well_known
from keys.supply.pricing import Rates
from keys.supply.services import served_models
from keys.supply.services.price_book import new_price, price_for
from keys.supply.services.providers import record_new_provider
from security import audit
from security import services as security
from security.actor import Actor


@dataclass(frozen=True, kw_only=True)
class KeyTerms:
    """The terms of an API key, all but its secret.

    Without `rates`, those of genai-prices apply. `serves`: the provider's models that it serves
    besides `model`, as names or patterns (`gpt-4o*`, `*`). `passed_fields`: see `ApiKey`.
    """

    provider: str
    model: str
    priority: int = 0
    base_url: str = ""
    rates: Rates | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    sandbox: bool = False
    passed_fields: Sequence[str] = ()
    serves: tuple[str, ...] = ()
    served_rates: Mapping[str, Rates] = field(default_factory=dict)
    # The provider is meant as it is written, even if it is new and resembles another.
    is_new_provider: bool = False
    # Calls are made with the key, so it is refused if nobody says where.
    needs_address: bool = False


@sensitive_variables("secret")
@transaction.atomic
def add_key(
    slug: str,
    *,
    terms: KeyTerms,
    secret: str | None,
    limits: Iterable[Terms] = (),
    actor: Actor,
    now: datetime,
) -> ApiKey:
    """Add an API key with its limits, and its provider if that is missing.

    Without a secret (None) it is inactive until it has one. Refusals: AlreadyExists, WrongValue
    (also for a new provider without an address whose name resembles another, see
    `KeyTerms.is_new_provider`).
    """
    _check_numbers(vars(terms))
    if not (terms.is_new_provider or terms.base_url or terms.sandbox):
        _refuse_misspelt(check_slug(terms.provider))
    provider, is_new = Provider.objects.get_or_create(
        slug=check_slug(terms.provider),
        defaults=well_known(terms.provider)._asdict(),
    )
    if is_new:
        record_new_provider(provider, actor=actor, now=now)
    api_key = ApiKey(
        slug=check_slug(slug),
        provider=provider,
        model=terms.model,
        priority=terms.priority,
        base_url=check_base_url(terms.base_url),
        price=price_for(provider, terms.model, terms.rates, actor=actor, now=now),
        requests_per_minute=terms.requests_per_minute,
        tokens_per_minute=terms.tokens_per_minute,
        sandbox=terms.sandbox,
        passed_fields=list(terms.passed_fields),
    )
    if terms.needs_address and not (terms.sandbox or api_key.url):
        raise WrongValue(
            f"Butler does not know the address of {provider.pk}. Enter the base URL of its API.",
            field="base_url",
        )
    if secret is None:
        api_key.status, api_key.status_reason = ApiKey.Status.INACTIVE, "no secret yet"
    else:
        _seal(api_key, secret)
    insert(api_key)
    served_models.write(
        api_key, serves=list(terms.serves), rates=terms.served_rates, actor=actor, now=now
    )
    _record_new(api_key, actor=actor, now=now)
    for limit in limits:
        give_limit(api_key, terms=limit, reason="key added", actor=actor, now=now)
    return api_key


@sensitive_variables("secret")
@transaction.atomic
def replace_secret(slug: str, *, secret: str, actor: Actor, reason: str, now: datetime) -> ApiKey:
    """Seal another secret into a key, for its present base URL.

    Refusals: ApiKeyNotFound, WrongValue.
    """
    check_reason(reason)
    api_key = lock_key(slug)
    _seal(api_key, secret)
    api_key.save(update_fields=["secret", "secret_url"])
    audit.record(
        actor=actor,
        action=Action.KEY_REPLACE_SECRET,
        subject=api_key.scope,
        after={"secret": "replaced"},
        reason=reason,
        at=now,
    )
    return api_key


@sensitive_variables("secret")
@transaction.atomic
def change_key(
    slug: str,
    *,
    changes: dict[str, object],
    secret: str | None = None,
    actor: Actor,
    reason: str,
    now: datetime,
) -> ApiKey:
    """Change priority, base_url, requests_per_minute, tokens_per_minute, sandbox or passed_fields
    of a key.

    If its calls go to another address then, its `secret` is needed again. Refusals: ApiKeyNotFound,
    WrongValue.
    """
    check_reason(reason)
    _check_changeable(changes)
    _check_numbers(changes)
    api_key = lock_key(slug)
    before = {name: getattr(api_key, name) for name in changes}
    if before == changes:
        return api_key
    if before.get("base_url") != changes.get("base_url"):
        changes = {**changes, "base_url": check_base_url(str(changes["base_url"]))}
    for name, value in changes.items():
        setattr(api_key, name, value)
    if secret is not None:
        _seal(api_key, secret)
    elif api_key.secret is not None and api_key.needs_secret:
        raise WrongValue(
            f"Enter the secret of the key again: it will be sent to {api_key.url}.", field="secret"
        )
    api_key.save(update_fields=[*changes, "secret", "secret_url"])
    if "base_url" in changes:
        _report_new_url(api_key, actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.KEY_CHANGE,
        subject=api_key.scope,
        before=before,
        after=changes if secret is None else {**changes, "secret": "replaced"},
        reason=reason,
        at=now,
    )
    return api_key


def _report_new_url(api_key: ApiKey, *, actor: Actor, now: datetime) -> None:
    alerts.raise_alert(
        kind=alert_kinds.KEY_URL_CHANGED,
        dedup_key=f"key_url_changed:{api_key.pk}:{api_key.url}",
        title=f"The base URL of {api_key.pk} was changed to {api_key.url}",
        detail=f"{actor.name} changed it.",
        key_id=api_key.pk,
        now=now,
    )


def _check_changeable(changes: dict[str, object]) -> None:
    if unknown := set(changes) - _CHANGEABLE:
        raise WrongValue(
            f"The {', '.join(sorted(unknown))} of an API key cannot be changed. Change one of "
            f"{', '.join(sorted(_CHANGEABLE))}.",
            field=min(unknown),
        )


def _check_numbers(terms: Mapping[str, object]) -> None:
    for name, (least, most) in _BOUNDS.items():
        number = terms.get(name)
        if isinstance(number, int) and not least <= number <= most:
            raise WrongValue(
                f"Use a number from {least:,} to {most:,} as {name}, not {number:,}.", field=name
            )


# What their columns hold, and far more than makes sense.
_BOUNDS = {
    "priority": (-1_000_000, 1_000_000),
    "requests_per_minute": (0, 10**9),
    "tokens_per_minute": (0, 10**14),
}
_CHANGEABLE = {
    *("priority", "base_url", "requests_per_minute", "tokens_per_minute", "sandbox"),
    "passed_fields",
}


@transaction.atomic
def set_price(slug: str, *, rates: Rates, actor: Actor, reason: str, now: datetime) -> ApiKey:
    """Give a key its own rates from now on; earlier charges keep theirs.

    Refusals: ApiKeyNotFound, WrongValue.
    """
    check_reason(reason)
    api_key = lock_key(slug)
    before = pricing.rates_as_json(api_key.price.rates)
    api_key.price = new_price(api_key.provider, api_key.model, rates, source=actor.name, now=now)
    api_key.save(update_fields=["price"])
    served_models.write_default_price(api_key)
    audit.record(
        actor=actor,
        action=Action.PRICE_SET,
        subject=api_key.scope,
        related=[f"price:{api_key.price_id}"],
        before=before,
        after=pricing.rates_as_json(rates),
        reason=reason,
        at=now,
    )
    return api_key


def _record_new(api_key: ApiKey, *, actor: Actor, now: datetime) -> None:
    names = ("model", "serves", "priority", "passed_fields")
    audit.record(
        actor=actor,
        action=Action.KEY_CREATE,
        subject=api_key.scope,
        related=[f"provider:{api_key.provider_id}"],
        after={"provider": api_key.provider_id, **{name: getattr(api_key, name) for name in names}},
        at=now,
    )


def _refuse_misspelt(provider: str) -> None:
    if Provider.objects.filter(pk=provider).exists():
        return
    if meant := resembled(provider, Provider.objects.values_list("pk", flat=True)):
        raise WrongValue(
            f"There is no provider {provider}. Did you mean {meant}? If it is a new one, give its "
            "base URL.",
            field="provider",
        )


@sensitive_variables("secret")
def _seal(api_key: ApiKey, secret: str) -> None:
    secret = check_secret(secret, provider=api_key.provider_id, url=api_key.url)
    security.seal_into(api_key, "secret", secret)
    api_key.secret_url = api_key.url


def lock_key(slug: str) -> ApiKey:
    """The key, locked until commit. Refusals: ApiKeyNotFound."""
    api_key = (
        ApiKey.objects.select_related("price", "provider")
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=slug)
        .first()
    )
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    return api_key
