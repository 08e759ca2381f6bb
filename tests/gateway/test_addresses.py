"""A name of a provider that leads to this machine is not called where that is not allowed."""

import pytest

from keys.models import ApiKey
from tests.gateway.server import gateway_on, lend, supply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "[::ffff:127.0.0.1]"])
def test_a_name_that_leads_to_this_machine_is_not_called(sandbox, settings, host):
    supply("nvidia-1", base_url=f"{sandbox.url}/v1")
    url = f"{sandbox.url}/v1".replace("127.0.0.1", host)
    ApiKey.objects.update(base_url=url, secret_url=url)
    with gateway_on(sandbox, settings) as running:
        session = lend(running.url)
        settings.PROVIDER_NETWORKS = []
        assert session.call().code == "provider_unreachable"
        assert sandbox.log() == []
        session.allocation.refresh_from_db()
        assert (session.allocation.used, session.allocation.held) == (0, 0)
