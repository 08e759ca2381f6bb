"""The same Idempotency-Key: neither called nor charged twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from keys.models import Charge
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.server import PATHS, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
every_format = pytest.mark.parametrize("wire_format", list(PATHS))
ONCE = {"idempotency-key": "once"}


@pytest.fixture
def session(sandbox, settings):
    """A session of the gateway."""
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield lend(running.url)


@every_format
@pytest.mark.parametrize("stream", [True, False])
def test_a_repeat_is_told_so_while_it_runs_and_after(sandbox, session, wire_format, stream):
    """O10."""
    session = session._replace(wire_format=wire_format)
    ask = {"said": "[[sandbox latency_ms=1000]]", "headers": ONCE, "stream": stream}
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lambda: session.call(**ask))
        wait_until(lambda: sandbox.under_way() == 1)
        _check_told(session.call(**ask))
        assert first.result().status == 200
    _check_told(session.call(**ask))
    assert len(sandbox.log()) == Charge.objects.count() == 1
    assert_books_balance()


def _check_told(answer) -> None:
    assert (answer.status, answer.code) == (409, "already_called")
    assert answer.headers["x-should-retry"] == "false"
    assert int(answer.headers["x-butler-charge-id"]) == Charge.objects.get().pk


def test_the_key_of_another_request_is_refused(sandbox, session):
    assert session.call("one", headers=ONCE).status == 200
    for other in (session, session._replace(wire_format="anthropic")):
        answer = other.call("two", headers=ONCE)
        assert (answer.status, answer.code) == (409, "idempotency_mismatch")
        assert answer.headers["x-should-retry"] == "false"
    assert len(sandbox.log()) == 1


def test_what_cost_nothing_may_be_made_again_however_often(sandbox, session):
    sandbox.fault(key="key-1", status=503, times=12)
    for _ in range(12):
        assert session.call(headers=ONCE).status == 503
    assert session.call(headers=ONCE).status == 200
    assert session.call(headers=ONCE).status == 409
    assert len(sandbox.log()) == 13
    assert Charge.objects.filter(status="released").count() == 12
    assert_books_balance()


@every_format
def test_a_call_and_its_repeats_at_once_are_one_call(sandbox, session, wire_format):
    session = session._replace(wire_format=wire_format)
    _check_races(session, sandbox)


@pytest.mark.slow
def test_a_call_and_its_repeats_through_two_processes_are_one_call(sandbox):
    sandbox.clear()
    web = Processes(only=("web",), environ={"BUTLER_SANDBOX_URL": f"{sandbox.url}/v1"})
    web.start()
    try:
        supply("key-1")
        _check_races(lend(web.url), sandbox)
    finally:
        web.kill_all()


def _check_races(session, sandbox) -> None:
    """Eight requests, each 16 times at once."""
    said = "[[sandbox latency_ms=100]]"

    def call(n: int):
        return n % 8, session.call(said, headers={"idempotency-key": f"call-{n % 8}"})

    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(call, range(128)))
    assert [answer for _, answer in answers if answer.status == 0] == []
    for number in range(8):
        statuses = sorted(answer.status for n, answer in answers if n == number)
        assert statuses == [200] + [409] * 15
    assert len(sandbox.log()) == Charge.objects.filter(status="settled").count() == 8
    assert_books_balance()
