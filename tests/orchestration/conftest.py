"""A gateway with the sandbox provider behind it, as workers use it."""

import pytest

from tests.gateway.server import gateway_on, supply


@pytest.fixture
def office(transactional_db, sandbox, settings):
    """ada, one key, and the gateway that workers call; the sandbox's log is its value."""
    supply("nvidia-1")
    with gateway_on(sandbox, settings) as running:
        settings.GATEWAY_URL = running.url
        yield sandbox
