"""A freeze under streams in two web processes: none is admitted after it, and all end as chosen.

`BUTLER_STREAMS=200` is the full size; with `-s` it prints how long the cut took.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Charge
from tests.actors import GRACE, OLGA
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import lend, read_all, supply
from tests.threads import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("races"),
    pytest.mark.django_db(transaction=True),
]
STREAMS = int(os.environ.get("BUTLER_STREAMS", "30"))


@pytest.fixture
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def web(sandbox):
    """Two web processes."""
    environ = {
        "BUTLER_SANDBOX_URL": f"{sandbox.url}/v1",
        # All streams are ada's.
        "BUTLER_GATEWAY_AGENT_CALLS_MAX": str(2 * STREAMS),
    }
    started = Processes(only=("web",), environ=environ)
    started.start()
    yield started
    started.kill_all()


def streams(session, said):
    """Streams that have begun."""
    ways = [session.open(session.body(said, stream=True)) for _ in range(STREAMS)]
    responses = [way.getresponse() for way in ways]
    assert {response.status for response in responses} == {200}
    return responses


def read_to_its_end(response):
    """What came, and when the last byte was there."""
    body, _ = read_all(response)
    return body, time.monotonic()


@pytest.mark.parametrize(
    ("mode", "said", "end", "basis"),
    [
        ("cut", "[[sandbox output=200 slow_ms=100]]", b'"frozen"', "estimated"),
        ("drain", "[[sandbox output=20 slow_ms=50]]", b"[DONE]", "provider"),
    ],
)
def test_streams_end_as_chosen_and_none_begins(web, sandbox, mode, said, end, basis):
    supply("key-1", tokens=100_000_000)
    session = lend(web.url, tokens=10_000_000)
    running = streams(session, said)
    with ThreadPoolExecutor(STREAMS) as threads:
        ends = [threads.submit(read_to_its_end, response) for response in running]
        row, _ = keys.freeze("centre:org", mode=mode, reason="test", actor=OLGA, now=timezone.now())
        frozen = time.monotonic()
        held = set(Charge.objects.values_list("pk", flat=True))
        # As many refused calls as it takes to meet both processes.
        assert {session.call().code for _ in range(STREAMS)} == {"frozen"}
        answers = [ended.result() for ended in ends]
    assert all(end in body for body, _ in answers)
    print(f"\n{mode}: {max(at for _, at in answers) - frozen:.3f} s to the last byte")  # noqa: T201
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    charges = Charge.objects.all()
    assert {charge.pk for charge in charges} == held
    assert {(charge.status, charge.basis) for charge in charges} == {("settled", basis)}
    assert len(sandbox.log()) == STREAMS
    assert_books_balance()
    keys.thaw(row.pk, reason="test", actor=GRACE, now=timezone.now())
    assert session.call().status == 200
