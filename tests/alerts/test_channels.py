"""Channels: URLs are checked, sealed, and never shown."""

import pytest
from django.db import connection

from alerts import apprise_transport, services
from alerts.models import Channel
from alerts.refusals import (
    ChannelDisabled,
    ChannelNameTaken,
    ChannelNotFound,
    ChannelUrlUnusable,
)
from security import services as security
from tests.alerts.builders import ADA, SECRET, channel
from tests.moments import NOON

pytestmark = pytest.mark.django_db
URL = f"json://ops:{SECRET}@hooks.example.org/{SECRET}"


@pytest.mark.parametrize("url", ["", "nonsense", f"nosuch://{SECRET}", f"slack://{SECRET}"])
def test_a_url_apprise_cannot_use_is_refused_without_repeating_it(url):
    with pytest.raises(ChannelUrlUnusable) as refusal:
        channel(url)
    assert refusal.value.code == "channel_url_unusable"
    assert SECRET not in refusal.value.detail + str(refusal.value.facts())
    assert not Channel.objects.exists()


def test_a_url_rests_sealed():
    kept = channel(URL)
    with connection.cursor() as cursor:
        row = cursor.execute("SELECT c::text, sealed_url FROM alerts_channel c").fetchone()
    assert SECRET not in row[0]
    assert SECRET.encode() not in bytes(row[1])
    assert security.unseal_from(Channel.objects.get(), "sealed_url") == URL
    assert SECRET not in repr(vars(kept))


def test_a_changed_url_ends_the_rest_of_the_channel():
    kept = channel(URL)
    Channel.objects.update(failures=5, rests_until=NOON)
    services.change_channel_url(kept.pk, url="json://other.example.org", actor=ADA, now=NOON)
    kept.refresh_from_db()
    assert security.unseal_from(kept, "sealed_url") == "json://other.example.org"
    assert (kept.failures, kept.rests_until) == (0, None)


def test_two_channels_have_two_names():
    channel(URL)
    with pytest.raises(ChannelNameTaken):
        channel(URL)
    with pytest.raises(ChannelNameTaken):
        services.change_channel(
            channel(URL, "other").pk,
            name="ops",
            severity_min="info",
            kinds=(),
            actor=ADA,
            now=NOON,
        )


def test_an_unknown_or_disabled_channel_is_refused():
    kept = channel(URL)
    services.disable_channel(kept.pk, actor=ADA, now=NOON)
    with pytest.raises(ChannelDisabled):
        services.test_channel(kept.pk, actor=ADA, now=NOON)
    services.enable_channel(kept.pk, actor=ADA, now=NOON)
    services.test_channel(kept.pk, actor=ADA, now=NOON)
    kept.delete()
    with pytest.raises(ChannelNotFound):
        services.test_channel(kept.pk, actor=ADA, now=NOON)


def test_an_error_contains_no_piece_of_the_url():
    url = "mailto://ada:hunter2%21@mail.example.org:587/bob@x.net?smtp=relay-9"
    text = (
        "Cannot log in to relay-9 (MAIL.example.org:587) as ada with hunter2! for bob@example.net"
    )
    redacted = apprise_transport.remove_url(text, url)
    for piece in ("ada ", "hunter2", "example.org", "bob", "relay-9", "587"):
        assert piece.lower() not in redacted.lower()
    assert redacted.startswith("Cannot log in to")
