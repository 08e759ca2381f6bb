"""Where the setting allows, a call that does not fit holds what the last answers make likely."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from gateway.answer_lengths import AnswerLengths
from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, supply
from tests.threads import wait_until

BATCH = 16
database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, where no call waits for another and all holds may be smaller."""
    settings.GATEWAY_HOLD_WAIT_SECONDS = 0
    settings.GATEWAY_LEARNED_HOLDS = "always"
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running


def ask(session, told="output=60", path="", **fields):
    """Call with these fields and no others; the answer."""
    said = f"hi [[sandbox {told}]]"
    asked = {"model": "any", **_input(said, path), **fields}
    with closing(session.open(json.dumps(asked).encode(), path=path)) as way:
        return answer_of(way)


def _input(said, path):
    if path == "/v1/responses":
        return {"input": said}
    return {"messages": [{"role": "user", "content": said}]}


def batch(session, told="output=60 latency_ms=300", **fields):
    """The answers to many calls at once."""
    with ThreadPoolExecutor(BATCH) as threads:
        return list(threads.map(lambda _: ask(session, told, **fields), range(BATCH)))


@database
@pytest.mark.parametrize(
    ("wire_format", "budget", "fields"),
    [
        ("openai", 60_000, {"max_tokens": 64_000}),
        ("openai", 60_000, {"max_completion_tokens": 64_000, "stream": True}),
        ("openai", 32_500, {}),
        ("openai", 60_000, {"n": 2, "max_tokens": 32_000}),
        ("openai", 60_000, {"path": "/v1/responses", "max_output_tokens": 64_000}),
        ("anthropic", 60_000, {"max_tokens": 64_000}),
        ("anthropic", 30_000, {"max_tokens": 32_000, "stream": True}),
    ],
)
def test_a_batch_on_a_small_budget_comes_back_at_once_and_whole(
    wire_format, budget, fields, gateway, sandbox
):
    session = lend(gateway.url, tokens=budget, wire_format=wire_format)
    assert ask(session, **fields).status == 200
    sandbox.clear()
    answers = batch(session, **fields)
    assert [answer.status for answer in answers] == [200] * BATCH
    assert {call["output"] for call in sandbox.log()} == {60 * fields.get("n", 1)}
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    lent = Allocation.objects.get()
    assert lent.used == sum(Charge.objects.values_list("tokens", flat=True)) < budget
    assert_books_balance()


@database
@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("before", "most"), [(60, 1024), (256, 1024), (400, 1600), (1000, 4000)])
def test_a_longer_answer_is_cut_and_says_so(before, most, stream, wire_format, gateway, sandbox):
    session = lend(gateway.url, tokens=20_000, wire_format=wire_format)
    ask(session, f"output={before}", max_tokens=2_000)
    sandbox.clear()
    answer = ask(session, "output=9000", max_tokens=64_000, stream=stream)
    assert answer.headers["x-butler-output-max"] == str(most)
    assert [call["output"] for call in sandbox.log()] == [most]
    held = Charge.objects.latest("pk")
    # Nothing is spent that was not set aside.
    assert held.tokens <= held.held_tokens < 20_000
    assert_books_balance()


@database
def test_a_call_that_fits_holds_all_that_it_may_use(gateway):
    session = lend(gateway.url, tokens=100_000)
    for _ in range(2):
        answer = ask(session, max_tokens=64_000)
        assert "x-butler-output-max" not in answer.headers
    assert all(held > 64_000 for held in Charge.objects.values_list("held_tokens", flat=True))


@database
@pytest.mark.parametrize(
    ("setting", "fields", "is_cut"),
    [
        ("never", {}, False),
        ("never", {"max_tokens": 64_000}, False),
        ("no_maximum", {}, True),
        ("no_maximum", {"max_tokens": 64_000}, False),
        ("no_maximum", {"max_completion_tokens": 64_000}, False),
        ("always", {}, True),
        ("always", {"max_tokens": 64_000}, True),
    ],
)
def test_the_setting_says_whose_maximum_may_be_lowered(
    setting, fields, is_cut, gateway, sandbox, settings
):
    settings.GATEWAY_LEARNED_HOLDS = setting
    session = lend(gateway.url, tokens=12_000)
    ask(session, max_tokens=100)
    sandbox.clear()
    answer = ask(session, "output=3000", **fields)
    # Alone, a call otherwise takes all that is left.
    assert [call["output"] for call in sandbox.log()] == [1024 if is_cut else 3000]
    assert answer.headers["x-butler-output-max"] != ("" if is_cut else "1024")


def test_the_longest_of_the_last_twenty_answers_counts():
    lengths = AnswerLengths()
    assert lengths.longest(1, "m") is None
    for output in (900, *[7] * 19):
        lengths.add(1, "m", output)
    assert lengths.longest(1, "m") == 900
    lengths.add(1, "m", 8)
    assert lengths.longest(1, "m") == 8
    assert lengths.longest(1, "other") is lengths.longest(2, "m") is None


def test_of_many_sessions_those_that_call_are_remembered():
    lengths = AnswerLengths()
    for session in range(10_001):
        lengths.add(session, "m", 5)
        lengths.add(0, "m", 6)
    assert (lengths.longest(0, "m"), lengths.longest(1, "m")) == (6, None)
