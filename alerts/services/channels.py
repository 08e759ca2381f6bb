"""Keep the channels: their URLs come in, are sealed, and never come out again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from alerts import apprise_transport
from alerts.audit_actions import Action
from alerts.models import Channel, Notification
from alerts.refusals import (
    ChannelDisabled,
    ChannelNameTaken,
    ChannelNotFound,
    ChannelUrlUnusable,
)
from alerts.services.close import resolve_by_key
from alerts.services.enqueue import queue_notification
from security import audit
from security import services as security
from security.actor import Actor


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
    """Add a channel with an Apprise URL (`mailto://…`, `slack://…`, `json://…`).

    Refusals: ChannelUrlUnusable, ChannelNameTaken.
    """
    _check_url(url)
    channel = Channel(name=name, severity_min=severity_min, kinds=list(kinds), created_at=now)
    security.seal_into(channel, "sealed_url", url.strip())
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
    """Change what a channel is called and which alerts it gets. Doing it twice changes nothing.

    Refusals: ChannelNotFound, ChannelNameTaken.
    """
    channel = _locked(channel_id)
    before = _values(channel)
    channel.name, channel.severity_min, channel.kinds = name, severity_min, list(kinds)
    if _values(channel) != before:
        _save(channel, update_fields=["name", "severity_min", "kinds"])
        _record(channel, Action.CHANNEL_CHANGE, before, actor=actor, now=now)
    return channel


@sensitive_variables("url")
@transaction.atomic
def change_channel_url(channel_id: UUID, *, url: str, actor: Actor, now: datetime) -> Channel:
    """Give a channel another URL and end its rest: what waits is tried again at once.

    Refusals: ChannelNotFound, ChannelUrlUnusable.
    """
    _check_url(url)
    channel = _locked(channel_id)
    before = _values(channel)
    security.seal_into(channel, "sealed_url", url.strip())
    channel.failures, channel.rests_until = 0, None
    channel.save(update_fields=["sealed_url", "failures", "rests_until"])
    _record(channel, Action.CHANNEL_REPLACE_URL, before, actor=actor, now=now)
    resolve_by_key(channel.failing_key, actor=actor, note="Its URL was changed.", now=now)
    return channel


@transaction.atomic
def disable_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Channel:
    """Switch a channel off; what waits on it is given up. Doing it twice changes nothing.

    Refusals: ChannelNotFound.
    """
    channel = _locked(channel_id)
    if channel.disabled_at is None:
        before = _values(channel)
        channel.disabled_at = now
        channel.save(update_fields=["disabled_at"])
        channel.notifications.waiting().update(
            status=Notification.Status.GIVEN_UP, last_error="The channel was disabled."
        )
        _record(channel, Action.CHANNEL_DISABLE, before, actor=actor, now=now)
        resolve_by_key(channel.failing_key, actor=actor, note="It was disabled.", now=now)
    return channel


@transaction.atomic
def enable_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Channel:
    """Switch a channel on again, for alerts raised from now on, and end its rest. Doing it twice
    changes nothing. Refusals: ChannelNotFound.
    """
    channel = _locked(channel_id)
    if channel.disabled_at is None and not channel.failures:
        return channel
    before = _values(channel)
    channel.disabled_at, channel.failures, channel.rests_until = None, 0, None
    channel.save(update_fields=["disabled_at", "failures", "rests_until"])
    _record(channel, Action.CHANNEL_ENABLE, before, actor=actor, now=now)
    return channel


@transaction.atomic
def test_channel(channel_id: UUID, *, actor: Actor, now: datetime) -> Notification:
    """Queue a test message; its notification shows what came of it. It is tried once.

    Refusals: ChannelNotFound, ChannelDisabled.
    """
    channel = _locked(channel_id)
    if channel.disabled_at:
        raise ChannelDisabled(channel=channel.name)
    _record(channel, Action.CHANNEL_TEST, None, actor=actor, now=now)
    return queue_notification(channel=channel, alert=None, now=now)


def _locked(channel_id: UUID) -> Channel:
    channel = Channel.objects.locked().filter(pk=channel_id).first()
    if channel is None:
        raise ChannelNotFound(channel_id=str(channel_id))
    return channel


def _values(channel: Channel) -> dict[str, Any]:
    """What people decide of a channel, but for its URL, which is a secret."""
    return {
        "name": channel.name,
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


def _check_url(url: str) -> None:
    if not apprise_transport.is_usable(url):
        raise ChannelUrlUnusable()
