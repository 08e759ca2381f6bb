"""One agent cannot fill what the calls of all agents share."""

import asyncio
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from gateway.agent_calls import AgentCalls
from tests.gateway.server import PATHS, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, which serves two calls of an agent at once."""
    settings.GATEWAY_AGENT_CALLS_MAX = 2
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running


def unfinished_call(session):
    """A call whose body does not come."""
    way = HTTPConnection(urlsplit(session.url).netloc)
    way.putrequest("POST", PATHS[session.wire_format])
    way.putheader("authorization", f"Bearer {session.token}")
    way.putheader("content-length", "100")
    way.endheaders()
    return closing(way)


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_further_calls_of_an_agent_are_told_to_retry_and_other_agents_are_served(
    gateway, wire_format
):
    """Whichever of the agent's sessions they belong to."""
    first, second, others = (
        lend(gateway.url, agent=agent, wire_format=wire_format) for agent in ("ada", "ada", "carol")
    )
    with ExitStack() as unfinished:

        def is_full():
            unfinished.enter_context(unfinished_call(first))
            return first.call().status == 429

        wait_until(is_full)
        answer = second.call()
        assert (answer.status, answer.code) == (429, "too_many_calls")
        assert answer.headers["retry-after"] == "2"
        assert "x-should-retry" not in answer.headers
        assert others.call().status == 200
    wait_until(lambda: first.call().status == 200)


def test_calls_of_an_agent_go_on_one_after_the_other_between_those_of_others():
    """However many there are of it."""
    steps = []

    async def relay(calls, agent):
        for _ in range(10):
            await calls.turn(agent)
            steps.append(agent)

    async def run():
        calls = AgentCalls()
        await asyncio.gather(*(relay(calls, "ada") for _ in range(20)), relay(calls, "carol"))

    asyncio.run(run())
    of_carol = [number for number, agent in enumerate(steps) if agent == "carol"]
    assert len(of_carol) == 10
    assert max(after - before for before, after in zip(of_carol, of_carol[1:], strict=False)) <= 3
