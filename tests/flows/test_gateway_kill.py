"""Web processes are killed or stopped under streaming clients: the books know every call.

`BUTLER_STREAMS=200 BUTLER_KILL_ROUNDS=10` is the full size.
"""

import asyncio
import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import aiohttp
import psutil
import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts.models import Alert
from keys import services as keys
from keys.models import Allocation, Charge, Window
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import PATHS, Session, answer_of, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("races"),
    pytest.mark.django_db(transaction=True),
]

STREAMS = int(os.environ.get("BUTLER_STREAMS", "60"))
ROUNDS = int(os.environ.get("BUTLER_KILL_ROUNDS", "1"))
FREEZES = 30
HOLD_SECONDS = 4
_PROVIDER_ID = re.compile(rb'"id": ?"([^"]+)"')


@pytest.fixture
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def web(sandbox):
    """Two web processes whose holds live for four seconds."""
    environ = {
        "BUTLER_SANDBOX_URL": f"{sandbox.url}/v1",
        "BUTLER_HOLD_SECONDS": str(HOLD_SECONDS),
        # All streams are ada's.
        "BUTLER_GATEWAY_AGENT_CALLS_MAX": str(2 * STREAMS),
    }
    started = Processes(only=("web",), environ=environ)
    started.start()
    yield started
    started.kill_all()


class Clients:
    """Clients that stream, each again and again until it gets no whole answer.

    `whole`: charges of answers whose end a client has seen. `broken`: how many answers broke off.
    `calls`: the provider's ids of all answers whose beginning was seen, by their charges.
    """

    def __init__(self, sessions: list[Session], prompt: str, *, again: bool) -> None:
        self.whole: list[int] = []
        self.broken = 0
        self.calls: dict[int, str] = {}
        self._sessions, self._prompt, self._again = sessions, prompt, again

    @contextmanager
    def running(self):
        """Their calls, in a thread; at the end all of them are over. Raises what failed in it."""
        with ThreadPoolExecutor(1) as threads:
            calls = threads.submit(lambda: asyncio.run(self._run()))
            try:
                yield self
            finally:
                calls.result(timeout=120)

    async def _run(self) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            work = [self._stream(client, self._sessions[n % 4]) for n in range(STREAMS)]
            await asyncio.gather(*work)

    async def _stream(self, client: aiohttp.ClientSession, session: Session) -> None:
        body = session.body(self._prompt, stream=True)
        headers = {"authorization": f"Bearer {session.token}"}
        url = session.url + PATHS[session.wire_format]
        while True:
            read = b""
            try:
                async with client.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 200, await answer.read()
                    charge = int(answer.headers["x-butler-charge-id"])
                    async for piece in answer.content.iter_any():
                        read += piece
                        if charge not in self.calls and (found := _PROVIDER_ID.search(read)):
                            self.calls[charge] = found[1].decode()
            except aiohttp.ClientError:
                self.broken += 1
                return
            if b"[DONE]" in read or b"message_stop" in read:
                self.whole.append(charge)
            else:
                self.broken += 1
            if not self._again:
                return


def _sessions(url: str) -> list[Session]:
    supply("key-1", "key-2", tokens=100_000_000)
    return [
        lend(url, tokens=10_000_000, wire_format=wire_format)
        for wire_format in ("openai", "anthropic", "openai", "anthropic")
    ]


def test_after_kill_9_every_answer_that_was_seen_is_settled_and_no_hold_stays(web, sandbox):
    # Most of the time of a call is the provider's, so that most are under way there.
    clients = Clients(_sessions(web.url), "[[sandbox output=20 slow_ms=60]]", again=True)
    with clients.running():
        wait_until(lambda: len(clients.whole) > STREAMS, seconds=60)
        wait_until(lambda: sandbox.under_way() > STREAMS // 2)
        web.kill_all()
        killed_at = timezone.now()
    assert clients.broken == STREAMS
    # What was in flight is still held, and the books know it.
    assert Charge.objects.filter(status="held").exists()
    assert_books_balance()
    wait_until(_nothing_is_held)
    assert (timezone.now() - killed_at).total_seconds() < HOLD_SECONDS + 2
    seen = Charge.objects.filter(pk__in=clients.whole, status="settled", basis="provider")
    assert seen.count() == len(clients.whole)
    assert {c.output_tokens for c in seen} == {20}
    # A hold whose call was not yet sent when the end came is one more.
    assert 0 <= Charge.objects.count() - len(sandbox.log()) <= STREAMS, "a call without a hold"
    assert_books_balance()


def test_every_call_that_a_killed_worker_had_sent_is_charged(web, sandbox):
    """O56."""
    sessions = _sessions(web.url)
    for _ in range(ROUNDS):
        sandbox.clear()
        clients = Clients(sessions, "[[sandbox output=20 slow_ms=100]]", again=False)
        with clients.running():
            wait_until(lambda clients=clients: len(clients.calls) == STREAMS, seconds=60)
            web.kill_worker()
        wait_until(lambda: sandbox.under_way() == 0)
        wait_until(_nothing_is_held)
        billed = {row["id"]: row["input"] + row["output"] for row in sandbox.log()}
        assert len(billed) == len(sandbox.log()) == STREAMS
        assert 0 < clients.broken == STREAMS - len(clients.whole)
        charged = Charge.objects.in_bulk(clients.calls)
        for charge_id, provider_id in clients.calls.items():
            charge, is_whole = charged[charge_id], charge_id in clients.whole
            assert charge.status == "settled"
            assert charge.basis == ("provider" if is_whole else "estimated")
            assert charge.tokens == (billed[provider_id] if is_whole else charge.held_tokens)
            assert charge.tokens >= billed[provider_id]
        assert_books_balance()
    alerts = Alert.objects.filter(kind="hold_charged")
    assert set(alerts.values_list("session_id", flat=True)) == {
        charge.allocation.session_id
        for charge in Charge.objects.filter(basis="estimated").select_related("allocation")
    }


def test_sigterm_lets_streams_end_cuts_the_rest_and_settles_all_of_them(web, sandbox):
    sessions = _sessions(web.url)
    ending = Clients(sessions, "[[sandbox output=20 slow_ms=150]]", again=False)
    hanging = Clients(sessions, "[[sandbox output=20 stall=mid]]", again=False)
    with ending.running(), hanging.running():
        wait_until(lambda: sandbox.under_way() == 2 * STREAMS)
        web.terminate()
        statuses = set(Charge.objects.values_list("status", flat=True))
        assert statuses == {"settled"}, "all is settled when the processes are gone"
        with pytest.raises(OSError, match="refused"):
            sessions[0].call()
    assert (len(ending.whole), ending.broken) == (STREAMS, 0)
    assert (len(hanging.whole), hanging.broken) == (0, STREAMS)
    basis = Charge.objects.values_list("basis", flat=True)
    assert sorted(basis) == ["estimated"] * STREAMS + ["provider"] * STREAMS
    assert len(sandbox.log()) == 2 * STREAMS
    assert_books_balance()


def test_killed_at_any_moment_a_call_that_was_sent_costs_its_hold(web, sandbox):
    supply("key-1")
    moments = ("before_headers", "after_headers", "mid", "before_usage", "before_end")
    calls = [(at, form, stream) for at in moments for form in PATHS for stream in (True, False)]
    with ThreadPoolExecutor(len(calls)) as threads:
        answers = []
        for at, wire_format, stream in calls:
            session = lend(web.url, wire_format=wire_format)
            body = session.body(f"[[sandbox output=20 stall={at}]]", stream=stream)
            answers.append(threads.submit(answer_of, session.open(body)))
        wait_until(lambda: sandbox.under_way() == len(calls))
        web.kill_all()
        assert not any(answer.result().whole for answer in answers)
    wait_until(_nothing_is_held)
    assert len(sandbox.log()) == Charge.objects.count() == len(calls)
    ends = Charge.objects.values_list("status", "basis", "tokens", "held_tokens")
    assert {end[:2] for end in ends} == {("settled", "estimated")}
    assert all(tokens == held > 0 for *_, tokens, held in ends)
    assert not Allocation.objects.exclude(held=0, used__gt=0, status="active").exists()
    assert_books_balance()


def test_a_process_that_is_stopped_in_the_middle_of_its_batches_holds_nobody_up(web, sandbox):
    sessions = _sessions(web.url)
    clients = Clients(sessions, "[[sandbox output=5]]", again=True)
    moments = random.Random(18)
    with clients.running():
        wait_until(lambda: len(clients.whole) > STREAMS, seconds=60)
        try:
            for _ in range(FREEZES):
                time.sleep(moments.uniform(0, 0.05))
                _lock_while_stopped(moments.choice(web.of("web")[1:]))
        finally:
            web.terminate()
    assert set(Charge.objects.values_list("status", flat=True)) <= {"settled", "released"}
    seen = Charge.objects.filter(pk__in=clients.whole, status="settled", basis="provider")
    assert seen.count() == len(clients.whole) > STREAMS
    assert_books_balance()


def _lock_while_stopped(worker: psutil.Process) -> None:
    """Lock what all calls need while a process is stopped; it may wait for the others' locks."""
    worker.suspend()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '15s'")
            for rows in (Allocation.objects.all(), Window.objects.filter(closed_at=None)):
                list(rows.order_by("pk").select_for_update(no_key=True))
    finally:
        worker.resume()


def _nothing_is_held() -> bool:
    """The sweep of the queue, until nothing is left for it."""
    keys.expire_charges(now=timezone.now())
    return not Charge.objects.filter(status="held").exists()


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_takes_longer_than_a_hold_keeps_it(sandbox, settings, stream):
    settings.HOLD_SECONDS = 2
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway, ThreadPoolExecutor(1) as threads:
        session = lend(gateway.url)
        slow = "slow_ms=300" if stream else "latency_ms=6000"
        answer = threads.submit(session.call, f"[[sandbox output=20 {slow}]]", stream=stream)
        while not answer.done():
            assert keys.expire_charges(now=timezone.now()) == 0
            connection.close()
    assert answer.result().status == 200
    charge = Charge.objects.get()
    assert (charge.status, charge.basis) == ("settled", "provider")
    assert (charge.settled_at - charge.created_at).total_seconds() > 3 * 2 - 1
    assert_books_balance()
