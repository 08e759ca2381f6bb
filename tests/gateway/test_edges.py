"""What may go wrong with a call, at every moment of it: what its client sees, what it costs.

Every cell of tests/gateway/edges.py in both wire formats. A worker that is killed is in
tests/flows/test_gateway_kill.py.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.edges import CANNOT_BE, CAUSES, CELLS, MOMENTS, WIRES, Cell
from tests.gateway.server import Answer, answer_of, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_moment_and_cause_is_here_or_cannot_be():
    told = {cell[:3] for cell in CELLS}
    every = {(m, c, f) for m in MOMENTS for c in CAUSES for f in ("stream", "whole")}
    assert told | set(CANNOT_BE) == every
    assert not told & set(CANNOT_BE)
    assert len(told) == len(CELLS)


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(cell[:3]).replace(" ", "_"))
def test_the_charge_ends_as_the_table_says_and_the_books_balance(
    cell, wire_format, sandbox, settings
):
    settings.UPSTREAM_SILENCE_SECONDS = settings.UPSTREAM_CONNECT_SECONDS = 1
    # A stream whose client went away must not wait for the provider's silence.
    watched = cell.cause == "client gone" and cell.form == "stream" and cell.moment != "sent"
    if watched or cell.cause == "shut down":
        settings.UPSTREAM_SILENCE_SECONDS = settings.UPSTREAM_CONNECT_SECONDS = 600
    with _provider(cell, wire_format) as calls, gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, wire_format=wire_format)
        body = session.body(f"hi [[sandbox output=20 {_told(cell)}]]", stream=cell.form == "stream")
        bound = session.bound(body)
        answer = _happen(cell, gateway, session, body, sandbox)
        wait_until(lambda: not Charge.objects.filter(status="held").exists())
        wait_until(lambda: sandbox.under_way() == 0)
        made = calls() + len(sandbox.log())
    _check_seen(cell, answer)
    _check_charge(cell, bound, sandbox.log())
    assert made == (cell.moment != "before connecting")
    assert not Allocation.objects.exclude(held=0, status="active").exists()
    assert_books_balance()


def _told(cell: Cell) -> str:
    return cell.how if "=" in cell.how else ""


@contextmanager
def _provider(cell: Cell, wire_format: str):
    """A key, and who is behind it; gives how many calls came that the sandbox does not know."""
    if cell.how in WIRES:
        with wire.wired(WIRES[cell.how](wire_format)) as wired:
            supply("key-1", base_url=wired.base_url, provider=wire_format)
            yield lambda: wired.calls
    elif cell.how in {"no_answer", "no_server"}:
        with getattr(wire, cell.how)() as base_url:
            supply("key-1", base_url=base_url, provider=wire_format)
            yield lambda: 0
    else:
        supply("key-1")
        yield lambda: 0


def _happen(cell: Cell, gateway, session, body: bytes, sandbox) -> Answer | None:
    if cell.cause == "client gone":
        return _leave(cell, session, body, sandbox)
    way = session.open(body)
    if cell.cause == "shut down":
        return _shut_down(cell, gateway, way, sandbox)
    return answer_of(way)


def _leave(cell: Cell, session, body: bytes, sandbox) -> None:
    if cell.moment == "before connecting":
        way = session.open(body[:20], headers={"content-length": str(len(body))})
    else:
        way = session.open(body)
        _reach(cell, way, sandbox)
    way.sock.shutdown(socket.SHUT_RDWR)
    if cell.moment == "before connecting":
        # A later client is served: the gateway noticed that the first one had gone.
        with session.open(b"[]").getresponse() as response:
            assert response.status == 400


def _reach(cell: Cell, way: HTTPConnection, sandbox) -> None:
    """Wait until the call is where its client leaves."""
    wait_until(lambda: sandbox.under_way() == 1)
    if cell.form == "stream" and cell.moment != "sent":
        response = way.getresponse()
        events = {"mid-answer": 8, "after usage": 21}.get(cell.moment, 0)
        seen = b""
        while seen.count(b"\ndata: ") < events:
            seen += response.read1()


def _shut_down(cell: Cell, gateway, way: HTTPConnection, sandbox) -> Answer:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(answer_of, way)
        if cell.how == "no_answer":
            wait_until(lambda: Charge.objects.filter(status="held").exists())
        else:
            wait_until(lambda: sandbox.under_way() == 1)
        # It waits a second for what runs: by then, what was sent of the answer has come.
        gateway.stop()
        return answer.result()


def _check_seen(cell: Cell, answer: Answer | None) -> None:
    if answer is None:
        assert cell.sees == "no one"
        return
    status, _, ending = cell.sees.partition(" ")
    assert answer.status == int(status), answer
    assert answer.whole == (ending != "broken"), answer
    assert (b"broke off" in answer.body) == (ending == "error" or status == "504"), answer
    # Butler itself says so where the call may have been made, or another would end alike; a
    # provider's 503 is passed on.
    kept_from_retrying = answer.headers.get("x-should-retry") == "false"
    assert kept_from_retrying == (
        status == "504"
        or (cell.cause == "shut down" and status == "503")
        or (cell.cause == "malformed" and status == "502")
    )


def _check_charge(cell: Cell, bound: int, log: list[dict]) -> None:
    if cell.ends == "not made":
        assert not Charge.objects.exists()
        return
    charge = Charge.objects.get()
    basis = {"provider": "provider", "released": charge.basis}.get(cell.ends, "estimated")
    status = "released" if cell.ends == "released" else "settled"
    assert (charge.status, charge.basis) == (status, basis)
    assert charge.held_tokens == bound + 40
    assert not charge.overrun
    if cell.ends == "released":
        assert (charge.tokens, charge.cost) == (0, 0)
    elif cell.ends == "hold":
        assert charge.tokens == charge.held_tokens
    elif cell.ends == "counted":
        # What was written is counted, and so is what was read, unless the provider said it.
        assert charge.input_tokens == log[0]["input"] or 0 < charge.input_tokens < bound
        assert 0 < charge.output_tokens <= 40
    else:
        bill = log[0] if log else {"input": 6, "output": 1}
        assert (charge.input_tokens, charge.output_tokens) == (bill["input"], bill["output"])


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("stream", "how"), [(True, "cut=mid"), (True, "usage=none"), (False, "usage=none")]
)
def test_what_is_only_counted_is_never_more_than_was_set_aside(
    sandbox, settings, wire_format, stream, how
):
    # Its tokenizer is not public: each byte may be a token.
    supply("key-1", model="claude-9")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, wire_format=wire_format)
        session.call(f"[[sandbox output=20 {how}]]", max_tokens=20, stream=stream)
        wait_until(lambda: not Charge.objects.filter(status="held").exists())
        assert session.call(max_tokens=20).status == 200, "the session goes on"
    charge = Charge.objects.order_by("pk").first()
    assert (charge.basis, charge.overrun) == ("estimated", False)
    assert 0 < charge.tokens <= charge.held_tokens
    assert_books_balance()
