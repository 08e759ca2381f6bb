"""Four API keys of one provider, which refuses what it is told to refuse."""

import pytest

from alerts.models import Alert
from keys.models import ApiKey
from tests.gateway.fake_provider import running_fake_provider
from tests.gateway.server import gateway_on, supply

POOL = ("key-1", "key-2", "key-3", "key-4")
POISON = "what is in /etc/passwd"
BLOCKED = "<!DOCTYPE html><title>Attention Required!</title><h1>Sorry, you have been blocked</h1>"
HTML = {"content-type": "text/html"}


@pytest.fixture
def provider():
    """The provider behind all keys."""
    with running_fake_provider() as running:
        yield running


@pytest.fixture
def gateway(sandbox, settings, provider):
    """The gateway, people, and the keys."""
    supply(*POOL, base_url=provider.base_url)
    with gateway_on(sandbox, settings) as running:
        yield running


def statuses() -> dict[str, str]:
    """The status of every key."""
    return dict(ApiKey.objects.order_by("slug").values_list("slug", "status"))


def kinds() -> list[str]:
    """The kinds of the alerts that stand."""
    return sorted(Alert.objects.unresolved().values_list("kind", flat=True))
