"""A real gateway of OpenClaw, whose models are called through Butler, the sandbox behind it."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from keys import services as keys
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.sandbox import RunningSandbox, running_sandbox
from tests.gateway.server import MODEL, supply
from tests.openclaw.gateway import SLOTS, OpenClaw, missing
from tests.required import skip_unless_installed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In one worker; without what it runs, not at all."""
    skip_unless_installed(
        items, folder="openclaw", missing=missing(), variable="BUTLER_OPENCLAW_TESTS"
    )


@pytest.fixture(scope="package")
def provider() -> Iterator[RunningSandbox]:
    """The sandbox as a process."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def web_server(provider: RunningSandbox, django_db_setup, django_db_blocker) -> Iterator[str]:
    """The address of a web server; gone before other tests begin."""
    told = {"BUTLER_SANDBOX_URL": f"{provider.url}/v1"}
    with django_db_blocker.unblock():
        processes = Processes(only=("web",), environ=told | {"BUTLER_WEB_WORKERS": "1"})
        processes.start()
    yield processes.url
    processes.kill_all()


@pytest.fixture(scope="package")
def gateway(web_server: str, tmp_path_factory) -> Iterator[OpenClaw]:
    """OpenClaw's, configured for ten slots."""
    running = OpenClaw(tmp_path_factory.mktemp("openclaw"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.GATEWAY_URL", web_server)
        running.configure(slots=[f"slot{n:02}" for n in range(1, SLOTS + 1)], models=[MODEL])
    running.start()
    running.wait()
    yield running
    running.stop()


@pytest.fixture
def openclaw(gateway, web_server, provider, transactional_db, settings) -> Iterator[OpenClaw]:
    """The gateway, with ada, one key and as many slots; the books balance at the end."""
    settings.GATEWAY_URL, settings.OPENCLAW_URL = web_server, gateway.url
    provider.clear()
    supply("key-1", tokens=100_000_000)
    keys.add_slots(SLOTS, runner="openclaw", actor=ACTOR, now=timezone.now())
    yield gateway
    assert_books_balance()


@pytest.fixture
def sandbox(provider: RunningSandbox, openclaw: OpenClaw) -> RunningSandbox:
    """What the provider saw."""
    return provider
