"""A server that stops does not wait for those who look at live pages."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.dashboard.live_streams import live_stream
from tests.gateway.server import running_gateway

pytestmark = pytest.mark.django_db(transaction=True)
# Longer than the test may take.
GRACE_SECONDS = 1_000


def test_a_server_that_stops_ends_its_streams_at_once():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    with (
        running_gateway(grace_seconds=GRACE_SECONDS) as server,
        live_stream(server.url, client, "?page=overview") as stream,
    ):
        stream.next_state()
        server.stop()
        assert set(stream.rest()) <= {"", "alive"}
