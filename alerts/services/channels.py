"""Keep the channels: their URLs come in, are sealed, and never come out again."""

from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from alerts import apprise_transport
from alerts.models import Channel, Notification
from alerts.refusals import (
    ChannelDisabled,
    ChannelNameTaken,
    ChannelNotFound,
    ChannelUrlUnusable,
)
from alerts.services.close import resolve_by_key
from alerts.services.enqueue import queue_notification
from security import services as security


@sensitive_variables("url")
def add_channel(*, name, url, severity_min="info", kinds=(), now) -> Channel:
    """Add a channel with an Apprise URL (`mailto://…`, `slack://…`, `json://…`).

    Refusals: ChannelUrlUnusable, ChannelNameTaken.
    """
    _check_url(url)
    channel = Channel(name=name, severity_min=severity_min, kinds=list(kinds), created_at=now)
    security.seal_into(channel, "sealed_url", url.strip())
    _save(channel)
    return channel


@transaction.atomic
def change_channel(channel_id, *, name, severity_min, kinds) -> Channel:
    """Change what a channel is called and which alerts it gets.

    Refusals: ChannelNotFound, ChannelNameTaken.
    """
    channel = _locked(channel_id)
    channel.name, channel.severity_min, channel.kinds = name, severity_min, list(kinds)
    _save(channel, update_fields=["name", "severity_min", "kinds"])
    return channel


@sensitive_variables("url")
@transaction.atomic
def change_channel_url(channel_id, *, url, now) -> Channel:
    """Give a channel another URL and end its rest: what waits is tried again at once.

    Refusals: ChannelNotFound, ChannelUrlUnusable.
    """
    _check_url(url)
    channel = _locked(channel_id)
    security.seal_into(channel, "sealed_url", url.strip())
    channel.failures, channel.rests_until = 0, None
    channel.save(update_fields=["sealed_url", "failures", "rests_until"])
    resolve_by_key(channel.failing_key, who="butler", note="Its URL was changed.", now=now)
    return channel


@transaction.atomic
def disable_channel(channel_id, *, now) -> Channel:
    """Switch a channel off; what waits on it is given up. Doing it twice changes nothing.

    Refusals: ChannelNotFound.
    """
    channel = _locked(channel_id)
    if channel.disabled_at is None:
        channel.disabled_at = now
        channel.save(update_fields=["disabled_at"])
        channel.notifications.waiting().update(
            status=Notification.Status.GIVEN_UP, last_error="The channel was disabled."
        )
        resolve_by_key(channel.failing_key, who="butler", note="It was disabled.", now=now)
    return channel


@transaction.atomic
def enable_channel(channel_id) -> Channel:
    """Switch a channel on again, for alerts raised from now on. Refusals: ChannelNotFound."""
    channel = _locked(channel_id)
    channel.disabled_at, channel.failures, channel.rests_until = None, 0, None
    channel.save(update_fields=["disabled_at", "failures", "rests_until"])
    return channel


@transaction.atomic
def test_channel(channel_id, *, now) -> Notification:
    """Queue a test message; its notification shows what came of it. It is tried once.

    Refusals: ChannelNotFound, ChannelDisabled.
    """
    channel = _locked(channel_id)
    if channel.disabled_at:
        raise ChannelDisabled(f"The channel {channel.name} is disabled.", channel=channel.name)
    return queue_notification(channel=channel, alert=None, now=now)


def _locked(channel_id) -> Channel:
    channel = Channel.objects.locked().filter(pk=channel_id).first()
    if channel is None:
        raise ChannelNotFound("There is no such channel.", channel_id=str(channel_id))
    return channel


def _save(channel, **options):
    try:
        with transaction.atomic():
            channel.save(**options)
    except IntegrityError as error:
        if "alerts_channel_name" not in str(error):
            raise
        raise ChannelNameTaken(
            f"There is a channel named {channel.name} already.", name=channel.name
        ) from None


def _check_url(url):
    if not apprise_transport.usable(url):
        raise ChannelUrlUnusable(
            "This is no URL that Apprise can use. Examples: mailto://user:password@example.org, "
            "slack://token-a/token-b/token-c, json://example.org/path."
        )
