"""The hard budget: what an allocation pays for is called, and not one call more.

`BUTLER_BUDGET_ROUNDS=10` is the full size.
"""

import asyncio
import json
import os

import aiohttp
import pytest

from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import PATHS, Session, lend, supply

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROUNDS = int(os.environ.get("BUTLER_BUDGET_ROUNDS", "2"))
CALLS, PAID_FOR, OUTPUT = 200, 20, 16
REFUSED = {"openai": (400, "insufficient_quota"), "anthropic": (400, "billing_error")}


@pytest.fixture
def sandbox():
    """A provider that answers after 300 ms."""
    with running_sandbox("--latency-ms", "300") as running:
        yield running


@pytest.fixture
def web(sandbox):
    """Two web processes."""
    started = Processes(only=("web",), environ={"BUTLER_SANDBOX_URL": f"{sandbox.url}/v1"})
    started.start()
    yield started
    started.kill_all()


def test_of_200_calls_at_once_exactly_the_20_that_are_paid_for_are_made(web, sandbox):
    supply("key-1")
    for _ in range(ROUNDS):
        for wire_format in PATHS:
            for stream in (True, False):
                _race(web.url, sandbox, wire_format, stream=stream)
    assert_books_balance()


def _race(url: str, sandbox, wire_format: str, *, stream: bool) -> None:
    sandbox.clear()
    body, bound = _body(wire_format, stream=stream)
    # Not one token less, not one more.
    session = lend(url, wire_format=wire_format, tokens=PAID_FOR * (bound + OUTPUT))
    answers = asyncio.run(_at_once(session, body))
    passed = [answer for answer in answers if answer[0] == 200]
    assert len(passed) == len(sandbox.log()) == PAID_FOR, f"{len(passed)} {len(sandbox.log())}"
    for status, headers, answer in answers:
        if status != 200:
            _check_refusal(wire_format, status, headers, json.loads(answer))
    assert sum(call["input"] + call["output"] for call in sandbox.log()) == _used(session)
    allocation = Allocation.objects.get(pk=session.allocation.pk)
    assert (allocation.used, allocation.held) == (allocation.allocated, 0)
    assert (allocation.status, allocation.overrun) == ("exhausted", False)


def _body(wire_format: str, *, stream: bool) -> tuple[bytes, int]:
    """A request that uses all it can use, and the bound of its input."""
    session, bound = Session("", None, wire_format), 0
    while True:
        said = f"race [[sandbox input={bound} output={OUTPUT}]]"
        body = session.body(said, max_tokens=OUTPUT, stream=stream)
        if session.bound(body) == bound:
            return body, bound
        bound = session.bound(body)


async def _at_once(session: Session, body: bytes) -> list[tuple[int, dict, bytes]]:
    headers = {"authorization": f"Bearer {session.token}", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(session.url, headers=headers, connector=connector) as client:

        async def call():
            async with client.post(PATHS[session.wire_format], data=body) as answer:
                return answer.status, answer.headers, await answer.read()

        return await asyncio.gather(*(call() for _ in range(CALLS)))


def _check_refusal(wire_format: str, status: int, headers: dict, answer: dict) -> None:
    assert (status, answer["error"]["type"]) == REFUSED[wire_format]
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers
    assert answer["butler"]["code"] in ("allocation_exhausted", "allocation_closed")


def _used(session: Session) -> int:
    charges = Charge.objects.filter(allocation=session.allocation)
    assert {charge.status for charge in charges} == {"settled"}
    assert {charge.basis for charge in charges} == {"provider"}
    return sum(charge.tokens for charge in charges)
