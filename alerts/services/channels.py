"""Add, change, disable and test channels. Their URLs and signing secrets are sealed."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from alerts import apprise_transport, webhook_transport
from alerts.audit_actions import Action
from alerts.models import Channel, Notification, SigningSecret
from alerts.refusals import (
    ChannelDisabled,
    ChannelNameTaken,
    ChannelNotFound,
    ChannelNotSigned,
    ChannelUrlUnusable,
)
from alerts.services.close import resolve_by_key
from alerts.services.enqueue import queue_notification
from security import audit
from security import services as security
from security.actor import Actor

SECRETS_OVERLAP = timedelta(hours=24)
# As in the specification of Standard Webhooks.
_SECRET_PREFIX = "whsec_"  # noqa: S105
_SECRET_BYTES = 32


@sensitive_variables("url")
@transaction.atomic
def add_channel(
    *,
    name: str,
    url: str,
    severity_min: str = "info",
    kinds: Iterable[str] = (),
    actor: Actor,
    now: datetime,
) -> Channel:
    """Add a channel with an Apprise URL (`mailto://…`, `slack://…`, `json://…`), or with that of a
    webhook (`https://…`), whose messages are signed with the secret that `rotate_signing_secret`
    makes.

    Refusals: ChannelUrlUnusable, ChannelNameTaken.
    """
    channel = Channel(name=name, severity_min=severity_min, kinds=list(kinds), created_at=now)
    _set_url(channel, url)
    _save(channel)
    _record(channel, Action.CHANNEL_ADD, None, actor=actor, now=now)
    return channel


@transaction.atomic
def change_channel(
    channel_id: UUID,
    *,
    name: str,
    severity_min: str,
    kinds: Iterable[str],
    actor: Actor,
    now: datetime,
) -> Channel:
    """Change the name of a channel and which alerts it gets. A second call changes nothing.

    Refusals: ChannelNotFound, ChannelNameTaken.
    """
    channel = _lock(channel_id)
    before = _values(channel)
    channel.name, channel.severity_min, channel.kinds = name, severity_min, list(kinds)
    if _values(channel) != before:
        _save(channel, update_fields=["name", "severity_min", "kinds"])
        _record(channel, Action.CHANNEL_CHANGE, before, actor=actor, now=now)
    return channel


@sensitive_variables("url")
@transaction.atomic
def change_channel_url(channel_id: UUID, *, url: str, actor: Actor, now: datetime) -> Channel:
    """Give a channel another URL and end its rest: waiting notifications are tried at once.

    Refusals: ChannelNotFound, ChannelUrlUnusable.
    """
    channel = _lock(channel_id)
    before = _values(channel)
    _set_url(channel, url)
    channel.failures, channel.rests_until = 0, None
    channel.save(update_fields=["sealed_url", "service", "failures", "rests_until"])
    _record(channel, Action.CHANNEL_REPLACE_URL, before, actor=actor, now=now)
    resolve_by_key(
        channel.failing_key, actor=actor, note="The URL of the channel was changed.", now=now
    )
    return channel


@transaction.atomic
def disable_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Channel:
    """Disable a channel and give up its waiting notifications. A second call changes nothing.

    Refusals: ChannelNotFound.
    """
    channel = _lock(channel_id)
    if channel.disabled_at is None:
        before = _values(channel)
        channel.disabled_at = now
        channel.save(update_fields=["disabled_at"])
        channel.notifications.waiting().update(
            status=Notification.Status.GIVEN_UP, last_error="The channel was disabled."
        )
        _record(channel, Action.CHANNEL_DISABLE, before, actor=actor, now=now)
        resolve_by_key(channel.failing_key, actor=actor, note="The channel was disabled.", now=now)
    return channel


@transaction.atomic
def enable_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Channel:
    """Enable a channel for alerts raised from now on, and end its rest.

    A second call changes nothing. Refusals: ChannelNotFound.
    """
    channel = _lock(channel_id)
    if channel.disabled_at is None and not channel.failures:
        return channel
    before = _values(channel)
    channel.disabled_at, channel.failures, channel.rests_until = None, 0, None
    channel.save(update_fields=["disabled_at", "failures", "rests_until"])
    _record(channel, Action.CHANNEL_ENABLE, before, actor=actor, now=now)
    return channel


@transaction.atomic
def test_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Notification:
    """Queue a test message, which is tried once; its notification shows the result.

    Refusals: ChannelNotFound, ChannelDisabled.
    """
    channel = _lock(channel_id)
    if channel.disabled_at:
        raise ChannelDisabled(channel=channel.name)
    _record(channel, Action.CHANNEL_TEST, None, actor=actor, now=now)
    return queue_notification(channel=channel, alert=None, now=now)


@sensitive_variables("secret")
@transaction.atomic
def rotate_signing_secret(channel_id: UUID, *, actor: Actor, now: datetime) -> str:
    """Make another signing secret of a webhook, and return it: nobody can read it later.

    Messages are signed with the one before, too, for `SECRETS_OVERLAP`.
    Refusals: ChannelNotFound, ChannelNotSigned.
    """
    channel = _lock(channel_id)
    if not channel.is_webhook:
        raise ChannelNotSigned(channel=channel.name)
    channel.signing_secrets.filter(ends_at=None).update(ends_at=now + SECRETS_OVERLAP)
    secret = _SECRET_PREFIX + b64encode(token_bytes(_SECRET_BYTES)).decode()
    row = SigningSecret(channel=channel, created_at=now)
    security.seal_into(row, "sealed", secret)
    row.save()
    _record(channel, Action.CHANNEL_ROTATE_SIGNING_SECRET, None, actor=actor, now=now)
    return secret


def _lock(channel_id: UUID) -> Channel:
    channel = Channel.objects.shared().locked().filter(pk=channel_id).first()
    if channel is None:
        raise ChannelNotFound(channel_id=str(channel_id))
    return channel


def _values(channel: Channel) -> dict[str, Any]:
    """The settings of a channel without its URL, which is a secret."""
    return {
        "name": channel.name,
        "service": channel.service,
        "severity_min": channel.severity_min,
        "kinds": channel.kinds,
        "enabled": channel.disabled_at is None,
    }


def _record(
    channel: Channel, action: Action, before: dict[str, Any] | None, *, actor: Actor, now: datetime
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=channel.address,
        before=before,
        after=_values(channel),
        at=now,
    )


def _save(channel: Channel, **options: Any) -> None:
    try:
        with transaction.atomic():
            channel.save(**options)
    except IntegrityError as error:
        if "alerts_channel_name" not in str(error):
            raise
        raise ChannelNameTaken(name=channel.name) from None


@sensitive_variables("url")
def _set_url(channel: Channel, url: str) -> None:
    if not is_usable(url):
        raise ChannelUrlUnusable()
    security.seal_into(channel, "sealed_url", url.strip())
    channel.service = url.strip().partition(":")[0].lower()


def is_usable(url: str) -> bool:
    """Whether a channel may have this URL: of a webhook, or one that Apprise can use."""
    return webhook_transport.is_usable(url) or apprise_transport.is_usable(url)
