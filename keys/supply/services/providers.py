"""Providers: who sells tokens, and where their APIs are."""

from datetime import datetime

from django.db import transaction
from django_q.tasks import async_task

from alerts import services as alerts
from keys import alert_kinds
from keys.audit_actions import Action
from keys.identity.services.agents import check_slug, insert
from keys.models import ApiKey, Provider
from keys.reasons import check_reason
from keys.refusals import ProviderNotFound
from keys.supply.base_urls import check_base_url
from keys.supply.known_providers import well_known
from keys.supply.services.key_status import write_status
from security import audit
from security.actor import Actor

_ENTER_AGAIN = "The base URL of the provider was changed: enter the secret of the key again."


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
    record_new_provider(provider, actor=actor, now=now)
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
    check_reason(reason)
    provider = Provider.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if provider is None:
        raise ProviderNotFound(provider=slug)
    if provider.base_url != base_url:
        base_url = check_base_url(base_url)
    after = {"name": name, "base_url": base_url, "wire_format": wire_format}
    before = {column: getattr(provider, column) for column in after}
    if before != after:
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


def record_new_provider(provider: Provider, *, actor: Actor, now: datetime) -> None:
    """Record a provider that was added, or came with its first key. Joins the transaction."""
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
