"""A prompt through the gateway: its answer, or why there is none, and never twice."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web as aiohttp_web
from django.utils import timezone

from gateway import services as gateway
from keys import services as keys
from keys.models import Charge, CostCentre
from orchestration.runners.base import Failed, Work
from orchestration.runners.model import ModelRunner
from tests.actors import ACTOR, GRACE
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.server import gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
every_format = pytest.mark.parametrize("wire_format", ["openai", "anthropic"])


@pytest.fixture
def url(sandbox, settings):
    """Where the gateway runs, with one key."""
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running.url
    assert_books_balance()


@pytest.fixture
def web(sandbox):
    """A web server as a process of its own, not started yet."""
    supply("key-1")
    sandbox.clear()
    processes = Processes(only=("web",), environ={"BUTLER_SANDBOX_URL": f"{sandbox.url}/v1"})
    yield processes
    processes.kill_all()


def work(session, prompt="[[sandbox output=50]]", **changes):
    """An attempt under this session."""
    usual = {
        "session_id": "butler-1-1-x",
        "label": "butler-test",
        "prompt": prompt,
        "runner": "model",
        "model": "gpt-4o",
        "wire_format": session.wire_format,
        "tokens": session.allocation.allocated,
        "seconds": 60,
        "gateway_url": f"{session.url}/v1",
        "token": session.token,
        "allocation_id": session.allocation.pk,
    }
    return Work(**{**usual, **changes})


@asynccontextmanager
async def running():
    """A runner of this event loop."""
    runner = ModelRunner()
    try:
        yield runner
    finally:
        await runner.close()


async def run_attempt(asked, *, runner=None):
    """The result of an attempt, as a worker waits for it."""
    if runner is None:
        async with running() as own:
            return await run_attempt(asked, runner=own)
    handle = await runner.spawn(asked)
    while not await runner.poll(asked, handle, seconds=5):
        pass
    return await runner.result(asked, handle)


def failure(asked):
    """How an attempt fails."""
    with pytest.raises(Failed) as caught:
        asyncio.run(run_attempt(asked))
    return caught.value


async def until(holds):
    """`wait_until` beside what runs in this loop."""
    await asyncio.to_thread(wait_until, holds)


@every_format
def test_an_answer_is_the_result_and_its_charge_is_in_the_facts(url, sandbox, wire_format):
    asked = work(lend(url, wire_format=wire_format), "[[sandbox output=50]]")
    result = asyncio.run(run_attempt(asked))
    assert "the sandbox" in result.text
    charge = Charge.objects.get()
    assert charge.idempotency_key == asked.session_id
    assert result.facts["charge_id"] == str(charge.pk)
    assert result.facts["key_id"] == "key-1"
    assert result.facts["request_id"].startswith("req_")
    assert result.facts["finish_reason"] in ("stop", "end_turn")
    assert charge.output_tokens in result.facts["usage"].values()


@every_format
def test_an_answer_that_was_cut_to_the_budget_is_a_result_and_says_so(url, wire_format):
    asked = work(lend(url, tokens=600, wire_format=wire_format), "[[sandbox output=5000]]")
    result = asyncio.run(run_attempt(asked))
    assert result.facts["finish_reason"] in ("length", "max_tokens")
    assert Charge.objects.get().tokens <= 600


def test_an_empty_answer_is_unusable(url):
    assert failure(work(lend(url), "[[sandbox output=0]]")).kind == "unusable_answer"


def test_an_answer_that_is_none_is_unusable(url):
    assert failure(work(lend(url), "[[sandbox malformed=yes]]")).kind == "unusable_answer"


def test_an_answer_longer_than_can_be_kept_is_unusable(url, monkeypatch):
    monkeypatch.setattr("orchestration.runners.model._ANSWER_BYTES_MAX", 100)
    failed = failure(work(lend(url)))
    assert (failed.kind, "exceeds 100 bytes" in failed.says) == ("unusable_answer", True)


@every_format
@pytest.mark.parametrize(
    ("directive", "kind"),
    [
        ("status=500", "provider_error"),
        ("status=529", "provider_error"),
        ("status=503", "provider_error"),
        ("status=400", "refused"),
        ("status=404", "refused"),
        ("cut=before_headers", "provider_error"),
        ("cut=mid", "provider_error"),
    ],
)
def test_what_a_provider_says_is_told_by_kind(url, wire_format, directive, kind):
    failed = failure(work(lend(url, wire_format=wire_format), f"[[sandbox {directive}]]"))
    assert failed.kind == kind
    assert failed.says


@every_format
def test_a_provider_that_asks_to_wait_is_heard(url, wire_format):
    session = lend(url, wire_format=wire_format, auto_rotate=False)
    failed = failure(work(session, "[[sandbox status=429 retry_after=7]]"))
    assert failed.kind == "rate_limited"
    assert 1 <= failed.retry_after <= 8


@every_format
def test_a_budget_that_is_too_small_or_closed_is_told_as_exhausted(url, wire_format):
    session = lend(url, tokens=10, wire_format=wire_format)
    assert failure(work(session)).kind == "budget_exhausted"
    keys.complete(allocation_id=session.allocation.pk, actor=ACTOR, now=timezone.now())
    failed = failure(work(session))
    assert failed.kind == "budget_exhausted"
    assert session.token not in failed.says


def test_a_token_that_is_none_is_refused_and_not_repeated_to_anybody(url):
    failed = failure(work(lend(url), token="bs_nobody-knows-it"))
    assert failed.kind == "refused"
    assert "nobody-knows" not in failed.says


def test_a_wire_format_nobody_speaks_is_a_mistake_in_the_setup(url):
    assert failure(work(lend(url), wire_format="telex")).kind == "misconfigured"


def test_what_runs_too_long_is_a_timeout(url, sandbox):
    failed = failure(work(lend(url), "[[sandbox latency_ms=1500]]", seconds=0.3))
    assert failed.kind == "timeout"
    wait_until(lambda: Charge.objects.get().status == "settled")


def test_polls_wait_as_long_as_they_are_told(url, sandbox):
    async def polled():
        asked = work(lend_in_thread, "[[sandbox latency_ms=1000]]")
        async with running() as runner:
            handle = await runner.spawn(asked)
            began = time.monotonic()
            first = await runner.poll(asked, handle, seconds=0.1)
            took = time.monotonic() - began
            return first, took, await runner.poll(asked, handle, seconds=20)

    lend_in_thread = lend(url)
    first, took, last = asyncio.run(polled())
    assert (first, last) == (False, True)
    assert took < 0.9


def test_a_cancelled_call_ends_at_once_and_is_settled(url, sandbox):
    asked = work(lend(url), "[[sandbox latency_ms=2000]]")

    async def cancelled():
        async with running() as runner:
            handle = await runner.spawn(asked)
            await until(lambda: sandbox.under_way() == 1)
            began = time.monotonic()
            await runner.cancel(asked, handle)
            await runner.cancel(asked, None)
            return time.monotonic() - began

    assert asyncio.run(cancelled()) < 1
    wait_until(lambda: Charge.objects.get().status == "settled")


def test_whoever_waits_for_a_cancelled_call_is_told(url, sandbox):
    asked = work(lend(url), "[[sandbox latency_ms=2000]]")

    async def waited_for():
        async with running() as runner:
            handle = await runner.spawn(asked)
            waiting = asyncio.create_task(runner.result(asked, handle))
            await until(lambda: sandbox.under_way() == 1)
            await runner.cancel(asked, handle)
            return await waiting

    with pytest.raises(Failed) as failed:
        asyncio.run(waited_for())
    assert failed.value.kind == "cancelled"


def test_spawning_twice_is_one_call(url, sandbox):
    asked = work(lend(url))

    async def spawned():
        async with running() as runner:
            assert await runner.spawn(asked) == await runner.spawn(asked)
            return await run_attempt(asked, runner=runner)

    assert asyncio.run(spawned()).text
    assert len(sandbox.log()) == 1


def result_after_takeover(asked, sandbox, *, settled):
    """The result for a process that takes an attempt over from one that made its call."""

    async def run():
        async with running() as silent, running() as other:
            handle = await silent.spawn(asked)
            if settled:
                await silent.result(asked, handle)
            else:
                await until(lambda: sandbox.under_way() == 1)
            await other.poll(asked, handle, seconds=20)
            return await other.result(asked, handle)

    return asyncio.run(run())


@every_format
@pytest.mark.parametrize("settled", [True, False])
def test_a_call_taken_over_is_lost_and_not_made_again(url, sandbox, wire_format, settled):
    session = lend(url, wire_format=wire_format)
    asked = work(session, "[[sandbox latency_ms=1000]]", again=True)
    with pytest.raises(Failed) as failed:
        result_after_takeover(asked, sandbox, settled=settled)
    assert failed.value.kind == "lost"
    wait_until(lambda: Charge.objects.get().status == "settled")
    assert len(sandbox.log()) == 1


def test_a_call_taken_over_is_answered_again_where_answers_are_kept(url, sandbox):
    centre = CostCentre.objects.get(pk="research")
    grace = GRACE
    gateway.set_retention(centre, days=1, actor=grace, reason="test", now=timezone.now())
    result = result_after_takeover(work(lend(url), again=True), sandbox, settled=True)
    assert "the sandbox" in result.text
    assert len(sandbox.log()) == 1


def test_a_call_that_was_never_made_is_made_by_who_takes_it_over(url, sandbox):
    asked = work(lend(url), again=True)

    async def polled():
        async with running() as runner:
            assert await runner.poll(asked, {"call": asked.session_id}, seconds=20)
            return await runner.result(asked, {"call": asked.session_id})

    assert "the sandbox" in asyncio.run(polled()).text


def test_a_budget_another_process_used_up_means_that_the_call_is_lost(url):
    session = lend(url)
    keys.complete(allocation_id=session.allocation.pk, actor=ACTOR, now=timezone.now())
    assert failure(work(session, again=True)).kind == "lost"


def test_two_hundred_calls_at_once_are_carried_out(url, sandbox):
    session = lend(url, tokens=5_000_000)
    asked = [
        work(
            session, "[[sandbox output=20 latency_ms=500]]", session_id=f"s-{number}", tokens=20_000
        )
        for number in range(200)
    ]

    async def all_of_them():
        async with running() as runner:
            return await asyncio.gather(*(run_attempt(one, runner=runner) for one in asked))

    assert all(result.text for result in asyncio.run(all_of_them()))
    assert len(sandbox.log()) == Charge.objects.filter(status="settled").count() == 200


def test_a_gateway_that_starts_later_is_waited_for(web, sandbox):
    asked = work(lend(web.url))

    async def waited_for():
        async with running() as runner:
            handle = await runner.spawn(asked)
            assert not await runner.poll(asked, handle, seconds=0.5)
            await asyncio.to_thread(web.start)
            return await run_attempt(asked, runner=runner)

    assert "the sandbox" in asyncio.run(waited_for()).text
    assert len(sandbox.log()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill_all", "terminate"])
def test_a_call_in_flight_when_the_gateway_goes_away_is_made_once(web, sandbox, how):
    web.start()
    asked = work(lend(web.url), "[[sandbox latency_ms=2000]]")

    async def broken_off():
        async with running() as runner:
            handle = await runner.spawn(asked)
            await until(lambda: sandbox.under_way() == 1)
            await asyncio.to_thread(getattr(web, how))
            await asyncio.to_thread(web.start)
            return await runner.result(asked, handle)

    try:
        text = asyncio.run(broken_off()).text
    except Failed as failed:
        assert failed.kind == "lost"
    else:
        # It waits for what runs when it is asked to stop.
        assert (how, "the sandbox" in text) == ("terminate", True)
    wait_until(lambda: sandbox.under_way() == 0)
    assert Charge.objects.count() == 1


@asynccontextmanager
async def restarting(answers, asked):
    """A proxy in front of a restarting Butler: it sends these responses one after the other."""
    waiting = iter(answers)

    async def answer(request):
        asked.append((request.headers["Idempotency-Key"], await request.read()))
        status, body, headers = next(waiting)
        return aiohttp_web.json_response(body, status=status, headers=headers)

    app = aiohttp_web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    server = aiohttp_web.AppRunner(app)
    await server.setup()
    site = aiohttp_web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{server.addresses[0][1]}/v1"
    finally:
        await server.cleanup()


@pytest.mark.parametrize(
    ("away", "kind"),
    [
        ((503, {"error": {"code": "unavailable", "message": "away"}}, {}), None),
        ((502, "Bad Gateway", {}), None),
        ((504, {}, {}), None),
        # These looked at the call.
        ((503, {"error": {}}, {"x-butler-charge-id": "7"}), "provider_error"),
        ((503, {"butler": {"code": "key_unusable"}}, {}), "provider_error"),
        ((500, {"error": {"code": "internal_error"}}, {}), "provider_error"),
    ],
)
def test_while_nobody_looked_at_the_call_it_is_asked_again_and_the_same(away, kind):
    done = {"choices": [{"message": {"content": "done"}, "finish_reason": "stop"}]}
    asked = []

    async def called():
        async with restarting([away, away, (200, done, {})], asked) as url:
            usual = {"wire_format": "openai", "tokens": 100, "token": "bs_x", "allocation_id": 1}
            one = Work("s-1", "l", "hello", "model", "m", seconds=30, gateway_url=url, **usual)
            return await run_attempt(one)

    if kind:
        with pytest.raises(Failed) as failed:
            asyncio.run(called())
        assert (failed.value.kind, len(asked)) == (kind, 1)
    else:
        assert asyncio.run(called()).text == "done"
        assert (len(asked), len(set(asked)), asked[0][0]) == (3, 1, "s-1")


def test_a_gateway_that_stays_away_is_unreachable(web, monkeypatch):
    monkeypatch.setattr("orchestration.runners.model._UNREACHABLE_SECONDS_MAX", 1)
    failed = failure(work(lend(web.url)))
    assert failed.kind == "unreachable"
    assert "cannot be reached" in failed.says
