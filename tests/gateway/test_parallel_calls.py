"""Calls side by side in one session: each gets a whole answer, however much each could have used.

A call without a maximum holds 16,384 tokens of output, and clients of Anthropic ask for 64,000 by
themselves, so a few calls hold the whole budget although they use hundreds of tokens.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, with a sandbox that answers after a while."""
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running


def ask(session, told="output=60 latency_ms=300", **fields):
    """Call with these fields and no others; the answer."""
    asked = {"model": "any", "messages": [{"role": "user", "content": f"hi [[sandbox {told}]]"}]}
    with closing(session.open(json.dumps({**asked, **fields}).encode())) as way:
        return answer_of(way)


def at_once(calls):
    """The answers of calls that run at the same time."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]


def finish_of(answer):
    """Why each answer ended, of whichever wire format."""
    body = answer.json
    if "choices" in body:
        return [choice["finish_reason"] for choice in body["choices"]]
    return [body["stop_reason"]]


def used(session):
    """What the session has used, after every hold of it has ended."""
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    return Allocation.objects.get(pk=session.allocation.pk).used


@pytest.mark.parametrize(
    ("wire_format", "budget", "calls", "fields"),
    [
        ("openai", 60_000, 8, {}),
        ("openai", 60_000, 8, {"stream": True}),
        ("openai", 49_340, 4, {}),
        ("openai", 20_000, 6, {"max_completion_tokens": 15_000}),
        ("openai", 40_000, 5, {"n": 2, "max_tokens": 8_000}),
        ("anthropic", 200_000, 8, {"max_tokens": 64_000}),
        ("anthropic", 200_000, 8, {"max_tokens": 64_000, "stream": True}),
        ("anthropic", 70_000, 5, {"max_tokens": 32_000}),
        ("anthropic", 66_000, 4, {"max_tokens": 64_000}),
    ],
)
def test_parallel_calls_are_all_answered_and_none_is_cut(
    wire_format, budget, calls, fields, gateway, sandbox
):
    session = lend(gateway.url, tokens=budget, wire_format=wire_format)
    answers = at_once([lambda: ask(session, **fields)] * calls)
    assert [answer.status for answer in answers] == [200] * calls
    assert not [answer for answer in answers if "x-butler-output-max" in answer.headers]
    if not fields.get("stream"):
        assert {why for answer in answers for why in finish_of(answer)} <= {"stop", "end_turn"}
    assert used(session) == sum(call["input"] + call["output"] for call in sandbox.log())
    assert_books_balance()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("wire_format", "budget", "asked"),
    [
        ("openai", 2_000, None),
        ("openai", 500, 400_000),
        ("openai", 1_000, 1_000),
        ("anthropic", 2_000, 64_000),
        ("anthropic", 900, 900),
    ],
)
def test_alone_a_call_takes_what_is_left_and_its_answer_says_so(
    wire_format, budget, asked, stream, gateway, sandbox
):
    session = lend(gateway.url, tokens=budget, wire_format=wire_format)
    fields = {"max_tokens": asked} if asked else {}
    answer = ask(session, "output=100000", stream=stream, **fields)
    assert answer.status == 200
    most = int(answer.headers["x-butler-output-max"])
    assert most == sandbox.log()[0]["output"]
    assert Charge.objects.get().held_tokens == budget
    assert 16 <= most < budget


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_a_whole_answer_says_nothing_of_a_maximum(wire_format, gateway):
    session = lend(gateway.url, tokens=2_000, wire_format=wire_format)
    assert "x-butler-output-max" not in ask(session, "output=20", max_tokens=100).headers


def busy(session, sandbox, **fields):
    """A call that stays in flight until its connection is closed."""
    said = "hi [[sandbox stall=after_headers]]"
    before = sandbox.under_way()
    way = session.open(session.body(said, stream=True, **fields))
    wait_until(lambda: sandbox.under_way() > before)
    return way


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("asked", [700, 900, 1_500, 64_000])
def test_after_its_wait_a_call_is_told_to_retry_soon(
    asked, wire_format, gateway, sandbox, settings
):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 1
    session = lend(gateway.url, tokens=1_000, wire_format=wire_format)
    with closing(busy(session, sandbox, max_tokens=600)):
        answer = ask(session, "output=5", max_tokens=asked)
        assert (answer.status, answer.code) == (429, "budget_in_flight")
        assert answer.headers["retry-after"] == "2"
        assert "x-should-retry" not in answer.headers
        error = answer.json["error"]
        if wire_format == "openai":
            assert error["code"] == "rate_limit_exceeded"
        else:
            assert error["type"] == "rate_limit_error"
        assert "in flight" in error["message"]
    used(session)
    assert ask(session, "output=5", max_tokens=50).status == 200


@pytest.mark.parametrize("status", [400, 402, 429])
def test_the_status_that_the_allocation_chose_is_not_for_what_is_only_held(
    status, gateway, sandbox, settings
):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 0
    session = lend(gateway.url, tokens=1_000, refusal_status=status)
    with closing(busy(session, sandbox, max_tokens=600)):
        assert ask(session, max_tokens=900).status == 429
        never = ask(session, max_tokens=900, messages=[{"role": "user", "content": "hi " * 2_000}])
        assert (never.status, never.code) == (status, "allocation_exhausted")


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_a_call_that_can_never_fit_is_refused_at_once(wire_format, gateway, sandbox, settings):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 600
    session = lend(gateway.url, tokens=1_000, wire_format=wire_format)
    with closing(busy(session, sandbox, max_tokens=600)):
        large = [{"role": "user", "content": "a long question " * 500}]
        answer = ask(session, max_tokens=50, messages=large)
        assert (answer.status, answer.code) == (400, "allocation_exhausted")
        assert answer.headers["x-should-retry"] == "false"


def test_counting_tokens_does_not_wait(gateway, sandbox, settings):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 600
    session = lend(gateway.url, tokens=1_000, wire_format="anthropic")
    # The call in flight ends before the thread does, which waits for it.
    with ThreadPoolExecutor(1) as threads, closing(busy(session, sandbox, max_tokens=600)):
        waiting = threads.submit(ask, session, "output=5", max_tokens=900)
        with closing(session.open(session.body(), path="/v1/messages/count_tokens")) as way:
            assert answer_of(way).status == 200
        assert not waiting.done()
        sandbox.clear()


def test_a_client_that_leaves_while_it_waits_leaves_its_place(gateway, sandbox, settings):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 600
    session = lend(gateway.url, tokens=1_000)
    with closing(busy(session, sandbox, max_tokens=600)):
        session.open(session.body("hi", max_tokens=900)).close()
        # Behind a call that waits, this one would wait too.
        assert ask(session, "output=5", max_tokens=50).status == 200
    used(session)
    assert_books_balance()


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_many_calls_with_different_maxima_all_come_to_an_end(
    wire_format, gateway, sandbox, settings
):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 60
    session = lend(gateway.url, tokens=40_000, wire_format=wire_format)
    maxima = [random.Random(7).choice([50, 500, 5_000, 20_000, 39_000]) for _ in range(40)]
    told = "output=30 latency_ms=50"
    answers = at_once([lambda most=most: ask(session, told, max_tokens=most) for most in maxima])
    assert [answer.status for answer in answers] == [200] * len(maxima)
    assert used(session) == sum(call["input"] + call["output"] for call in sandbox.log())
    assert Allocation.objects.get().held == 0
    assert_books_balance()
