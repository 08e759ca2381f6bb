"""Butler as `make up` runs it, the sandbox behind it, and a pass-through that counts before it."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from keys.identity.queries.credentials import session_token
from tests.books import assert_books_balance
from tests.clients.blocks import missing
from tests.clients.pass_through import PassThrough, pass_through
from tests.clients.sessions import Session
from tests.flows.processes import Processes
from tests.gateway.sandbox import RunningSandbox, running_sandbox
from tests.keys.builders import PAID, add_key, allocate, make_people
from tests.required import skip_unless_installed
from tests.threads import wait_until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In one worker; without what it runs, not at all."""
    skip_unless_installed(items, folder="clients", missing=missing(), variable="BUTLER_CLIENTS")


@pytest.fixture(scope="package")
def provider() -> Iterator[RunningSandbox]:
    """The sandbox as a process."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def web_server(provider: RunningSandbox, django_db_setup, django_db_blocker) -> Iterator[str]:
    """The address of a web server, with a queue beside it; gone before other tests begin."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setenv("BUTLER_SANDBOX_URL", f"{provider.url}/v1")
        processes = Processes()
        processes.start()
    yield processes.url
    processes.kill_all()


@pytest.fixture
def sandbox(provider: RunningSandbox) -> RunningSandbox:
    """The sandbox, with nothing remembered of other tests."""
    provider.clear()
    return provider


@pytest.fixture
def butler(web_server: str, sandbox: RunningSandbox, transactional_db) -> Iterator[PassThrough]:
    """Butler behind the pass-through, with a key of either wire format; its books balance."""
    make_people()
    for provider in ("openai", "anthropic"):
        add_key(f"{provider}-1", per_day=None, rates=PAID, provider=provider, sandbox=True)
    address = urlsplit(web_server)
    with pass_through(address.hostname, address.port) as counted:
        yield counted
    # A job that is still under way would write into the tables of the next test.
    wait_until(lambda: not OrmQ.objects.exists(), seconds=60)
    assert_books_balance()


@pytest.fixture
def lend(butler: PassThrough) -> Callable[..., Session]:
    """`lend("openai", tokens=10)`: a session of ada's that speaks this wire format."""
    return _lend


def _lend(wire_format: str, *, tokens: int = 500_000, **terms: object) -> Session:
    # Keys with the sandbox speak both formats, so the provider decides which is taken.
    terms |= {"wire_format": wire_format, "provider": wire_format, "auto_rotate": False}
    allocation = allocate("ada", tokens, now=timezone.now(), **terms)
    return Session(session_token(allocation.session_id), allocation)
