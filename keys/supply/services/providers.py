"""Providers, API keys, prices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.views.decorators.debug import sensitive_variables
from django_q.tasks import async_task

from alerts import services as alerts
from keys import alert_kinds
from keys.audit_actions import Action
from keys.identity.services.agents import check_slug, insert
from keys.limits.services.limits import Terms, give_limit
from keys.models import ApiKey, Provider
from keys.refusals import ApiKeyNotFound, ProviderNotFound, WrongValue
from keys.supply import pricing
from keys.supply.base_urls import check_base_url
from keys.supply.known_providers import well_known
from keys.supply.pricing import Rates
from keys.supply.services import served_models
from keys.supply.services.key_status import write_status
from keys.supply.services.price_book import new_price, price_for
from security import audit
from security import services as security
from security.actor import Actor

_ENTER_AGAIN = "The base URL of the provider was changed: enter the secret of the key again."


@dataclass(frozen=True, kw_only=True)
class KeyTerms:
    """The terms of an API key, all but its secret.

    Without `rates`, those of genai-prices apply. `serves`: the provider's models that it serves
    besides `model`, as names or patterns (`gpt-4o*`, `*`).
    """

    provider: str
    model: str
    priority: int = 0
    base_url: str = ""
    rates: Rates | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    sandbox: bool = False
    serves: tuple[str, ...] = ()
    served_rates: Mapping[str, Rates] = field(default_factory=dict)


@transaction.atomic
def add_provider(
    slug: str,
    *,
    name: str = "",
    base_url: str = "",
    wire_format: str | None = None,
    actor: Actor,
    now: datetime,
) -> Provider:
    """Add a provider. Arguments that are not given are those usual for a provider of this name.

    Refusals: AlreadyExists, WrongValue.
    """
    usual = well_known(check_slug(slug))
    after = {
        "name": name or usual.name,
        "base_url": check_base_url(base_url) or usual.base_url,
        "wire_format": usual.wire_format if wire_format is None else wire_format,
    }
    provider = insert(Provider(slug=slug, **after))
    _record_new_provider(provider, actor=actor, now=now)
    return provider


@transaction.atomic
def change_provider(
    slug: str,
    *,
    name: str,
    base_url: str,
    wire_format: str,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Provider:
    """Change the name, wire format and base URL of a provider.

    Its keys without a base URL of their own are switched off if the URL changes: their secrets were
    not entered for it. Refusals: ProviderNotFound, WrongValue.
    """
    provider = Provider.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if provider is None:
        raise ProviderNotFound(provider=slug)
    after = {"name": name, "base_url": base_url, "wire_format": wire_format}
    before = {column: getattr(provider, column) for column in after}
    if before != after:
        if before["base_url"] != base_url:
            check_base_url(base_url)
        for column, value in after.items():
            setattr(provider, column, value)
        provider.save(update_fields=list(after))
        audit.record(
            actor=actor,
            action=Action.PROVIDER_CHANGE,
            subject=f"provider:{slug}",
            before=before,
            after=after,
            reason=reason,
            at=now,
        )
        if before["base_url"] != base_url:
            _switch_off_keys(provider, actor=actor, now=now)
    return provider


def _switch_off_keys(provider: Provider, *, actor: Actor, now: datetime) -> None:
    """Switch off the keys whose secrets must be entered again, and tell people."""
    keys = provider.api_keys.filter(base_url="", secret__isnull=False).select_related("provider")
    stopped = [
        key for key in keys.order_by("pk").select_for_update(of=("self",)) if key.needs_secret
    ]
    for api_key in stopped:
        write_status(api_key, ApiKey.Status.INACTIVE, _ENTER_AGAIN, actor, now)
        async_task("keys.jobs.rotate_away", api_key.pk)
    alerts.raise_alert(
        kind=alert_kinds.PROVIDER_URL_CHANGED,
        dedup_key=f"provider_url_changed:{provider.pk}:{provider.base_url}",
        title=f"The base URL of {provider.pk} was changed to {provider.base_url}",
        detail=f"{actor.name} changed it. {len(stopped)} of its API keys are switched off until "
        "their secrets are entered for the new URL.",
        facts={"provider": provider.pk},
        now=now,
    )


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

    Without a secret (None) it is inactive until it has one. Refusals: AlreadyExists, WrongValue.
    """
    provider, is_new = Provider.objects.get_or_create(
        slug=check_slug(terms.provider),
        defaults=well_known(terms.provider)._asdict(),
    )
    if is_new:
        _record_new_provider(provider, actor=actor, now=now)
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
    )
    if secret is None:
        api_key.status, api_key.status_reason = ApiKey.Status.INACTIVE, "no secret yet"
    else:
        _seal(api_key, secret)
    insert(api_key)
    served_models.write(
        api_key, serves=list(terms.serves), rates=terms.served_rates, actor=actor, now=now
    )
    after = {
        "provider": provider.pk,
        "model": api_key.model,
        "serves": api_key.serves,
        "priority": api_key.priority,
    }
    audit.record(
        actor=actor,
        action=Action.KEY_CREATE,
        subject=api_key.scope,
        related=[f"provider:{provider.pk}"],
        after=after,
        at=now,
    )
    for limit in limits:
        give_limit(api_key, terms=limit, reason="key added", actor=actor, now=now)
    return api_key


@sensitive_variables("secret")
@transaction.atomic
def replace_secret(slug: str, *, secret: str, actor: Actor, reason: str, now: datetime) -> ApiKey:
    """Seal another secret into a key, for its present base URL.

    Refusals: ApiKeyNotFound, WrongValue.
    """
    api_key = _lock(slug)
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
    """Change priority, base_url, requests_per_minute, tokens_per_minute or sandbox of a key.

    If its calls go to another address then, its `secret` is needed again. Refusals: ApiKeyNotFound,
    WrongValue.
    """
    if unknown := set(changes) - _CHANGEABLE:
        raise WrongValue(
            f"The {', '.join(sorted(unknown))} of an API key cannot be changed. Change one of "
            f"{', '.join(sorted(_CHANGEABLE))}.",
            field=min(unknown),
        )
    api_key = _lock(slug)
    before = {name: getattr(api_key, name) for name in changes}
    if before == changes:
        return api_key
    if before.get("base_url") != changes.get("base_url"):
        check_base_url(str(changes["base_url"]))
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
        after=changes,
        reason=reason,
        at=now,
    )
    return api_key


def _report_new_url(api_key: ApiKey, *, actor: Actor, now: datetime) -> None:
    alerts.raise_alert(
        kind=alert_kinds.KEY_URL_CHANGED,
        dedup_key=f"key_url_changed:{api_key.pk}:{api_key.url}",
        title=f"The base URL of {api_key.pk} was changed to {api_key.url}",
        detail=f"{actor.name} changed it and entered a secret for it.",
        key_id=api_key.pk,
        now=now,
    )


_CHANGEABLE = {"priority", "base_url", "requests_per_minute", "tokens_per_minute", "sandbox"}


@transaction.atomic
def set_price(slug: str, *, rates: Rates, actor: Actor, reason: str, now: datetime) -> ApiKey:
    """Give a key its own rates from now on; earlier charges keep theirs.

    Refusals: ApiKeyNotFound.
    """
    api_key = _lock(slug)
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


@sensitive_variables("secret")
def _seal(api_key: ApiKey, secret: str) -> None:
    if not secret.strip():
        raise WrongValue("Enter the secret that the provider issued.", field="secret")
    if not (secret.strip().isascii() and secret.strip().isprintable()):
        raise WrongValue(
            "The secret contains characters that an HTTP header cannot carry. Use printable ASCII "
            "characters.",
            field="secret",
        )
    security.seal_into(api_key, "secret", secret.strip())
    api_key.secret_url = api_key.url


def _lock(slug: str) -> ApiKey:
    api_key = (
        ApiKey.objects.select_related("price", "provider")
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=slug)
        .first()
    )
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    return api_key


def _record_new_provider(provider: Provider, *, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=Action.PROVIDER_CREATE,
        subject=f"provider:{provider.pk}",
        after={
            "name": provider.name,
            "base_url": provider.base_url,
            "wire_format": provider.wire_format,
        },
        at=now,
    )
