"""Channels call services on the network, not this machine or its neighbours."""

import pytest

from alerts.models import Notification
from alerts.refusals import ChannelUrlUnusable
from common import addresses
from tests.alerts.builders import SECRET, channel, raised
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def this_machine(settings):
    """Nothing is allowed, as by default."""
    settings.CHANNEL_NETWORKS = []


@pytest.mark.parametrize(
    "url",
    [
        "syslog://",
        "json://127.0.0.1:8000/x",
        "jsons://10.0.0.5/x",
        "xml://169.254.169.254/latest/meta-data",
        "ntfy://192.168.1.1/topic",
        "form://[::1]/x",
        "mailto://user:password@127.0.0.1",
        "rsyslog://8.8.8.8",
        "kodi://8.8.8.8",
        "amqp://8.8.8.8/x",
        "file:///etc/passwd",
        "exec:///bin/sh",
        "dbus://",
        "gnome://",
        "macosx://",
        "windows://",
    ],
)
def test_a_channel_to_this_machine_or_its_neighbours_is_refused(url):
    with pytest.raises(ChannelUrlUnusable):
        channel(url)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "localtest.me"])
@pytest.mark.django_db(transaction=True)
def test_a_name_that_leads_to_this_machine_gets_no_message(webhook, host, monkeypatch):
    if host == "localtest.me":
        monkeypatch.setattr("socket.getaddrinfo", leading_here)
    channel(webhook.url.replace("127.0.0.1", host))
    raised()
    drain_queue()
    assert webhook.messages == []
    assert Notification.objects.get().status == "failed"
    assert SECRET not in Notification.objects.get().last_error


def leading_here(host, port, *args, **kwargs):
    """A name server that leads to this machine."""
    return [(2, 1, 6, "", ("127.0.0.1", port))]


@pytest.mark.django_db(transaction=True)
def test_a_network_that_is_allowed_gets_its_message(webhook, settings):
    settings.CHANNEL_NETWORKS = addresses.networks(["127.0.0.1"])
    channel(webhook.url)
    raised()
    drain_queue()
    assert len(webhook.messages) == 1
