"""What may go wrong with a call, at every moment of it: what its client sees, what it costs.

Five moments, six causes, streamed and whole, in both wire formats. A worker that is killed is in
tests/flows/test_gateway_kill.py; what cannot happen is in `CANNOT_BE`, with the reason.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import Answer, answer_of, gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

MOMENTS = ("before connecting", "sent", "after head", "mid-answer", "after usage")
CAUSES = ("client gone", "timeout", "cut", "malformed", "error", "shut down")


class Cell(NamedTuple):
    """One thing that goes wrong, and what comes of it.

    `how`: what the sandbox is told, or the name of a provider in `_WIRES`. `sees`: the status, and
    `error`: at the end of a stream an error, `broken`: the connection closed on it; or `nobody`.
    `ends`: the charge is not made, released, or settled at what the `provider` said, at what it had
    `said` before it broke off, at what was `counted`, or at all of the `hold`.
    """

    moment: str
    cause: str
    form: str
    how: str
    sees: str
    ends: str


CELLS = [
    Cell("before connecting", "client gone", "stream", "", "nobody", "not made"),
    Cell("before connecting", "client gone", "whole", "", "nobody", "not made"),
    Cell("before connecting", "timeout", "stream", "nobody_answers", "502", "released"),
    Cell("before connecting", "timeout", "whole", "nobody_answers", "502", "released"),
    Cell("before connecting", "cut", "stream", "nobody_there", "502", "released"),
    Cell("before connecting", "cut", "whole", "nobody_there", "502", "released"),
    Cell("before connecting", "shut down", "stream", "nobody_answers", "503", "hold"),
    Cell("before connecting", "shut down", "whole", "nobody_answers", "503", "hold"),
    Cell("sent", "client gone", "stream", "stall=before_headers", "nobody", "hold"),
    Cell("sent", "client gone", "whole", "stall=before_headers", "nobody", "hold"),
    Cell("sent", "timeout", "stream", "stall=before_headers", "504", "hold"),
    Cell("sent", "timeout", "whole", "stall=before_headers", "504", "hold"),
    Cell("sent", "cut", "stream", "cut=before_headers", "504", "hold"),
    Cell("sent", "cut", "whole", "cut=before_headers", "504", "hold"),
    Cell("sent", "malformed", "stream", "no_http", "504", "hold"),
    Cell("sent", "malformed", "whole", "no_http", "504", "hold"),
    Cell("sent", "error", "stream", "status=503", "503", "released"),
    Cell("sent", "error", "whole", "status=503", "503", "released"),
    Cell("sent", "shut down", "stream", "stall=before_headers", "503", "hold"),
    Cell("sent", "shut down", "whole", "stall=before_headers", "503", "hold"),
    Cell("after head", "client gone", "stream", "stall=after_headers", "nobody", "hold"),
    Cell("after head", "client gone", "whole", "stall=after_headers", "nobody", "hold"),
    Cell("after head", "timeout", "stream", "stall=after_headers", "200 error", "hold"),
    Cell("after head", "timeout", "whole", "stall=after_headers", "504", "hold"),
    Cell("after head", "cut", "stream", "cut=after_headers", "200 error", "hold"),
    Cell("after head", "cut", "whole", "cut=after_headers", "504", "hold"),
    Cell("after head", "malformed", "stream", "no_event", "200 error", "hold"),
    Cell("after head", "malformed", "whole", "no_body", "200", "hold"),
    Cell("after head", "error", "stream", "error_first", "200", "hold"),
    Cell("after head", "error", "whole", "error_body", "200", "hold"),
    Cell("after head", "shut down", "stream", "stall=after_headers", "200 broken", "hold"),
    Cell("after head", "shut down", "whole", "stall=after_headers", "503", "hold"),
    Cell("mid-answer", "client gone", "stream", "stall=mid", "nobody", "counted"),
    Cell("mid-answer", "client gone", "whole", "stall=mid", "nobody", "hold"),
    Cell("mid-answer", "timeout", "stream", "stall=mid", "200 error", "counted"),
    Cell("mid-answer", "timeout", "whole", "stall=mid", "504", "hold"),
    Cell("mid-answer", "cut", "stream", "cut=mid", "200 error", "counted"),
    Cell("mid-answer", "cut", "whole", "cut=mid", "504", "hold"),
    Cell("mid-answer", "malformed", "stream", "malformed=yes", "200", "provider"),
    Cell("mid-answer", "malformed", "whole", "malformed=yes", "200", "counted"),
    Cell("mid-answer", "error", "stream", "error_event=yes", "200", "counted"),
    Cell("mid-answer", "shut down", "stream", "stall=mid", "200 broken", "counted"),
    Cell("mid-answer", "shut down", "whole", "stall=mid", "503", "hold"),
    Cell("after usage", "client gone", "stream", "stall=before_end", "nobody", "said"),
    Cell("after usage", "timeout", "stream", "stall=before_end", "200 error", "said"),
    Cell("after usage", "cut", "stream", "cut=before_end", "200 error", "said"),
    Cell("after usage", "malformed", "stream", "usage=wrong", "200", "counted"),
    Cell("after usage", "malformed", "whole", "usage=wrong", "200", "counted"),
    Cell("after usage", "error", "stream", "error_last", "200", "provider"),
    Cell("after usage", "shut down", "stream", "stall=before_end", "200 broken", "said"),
]
_ONE_BODY = "a whole answer says its usage in the body that ends it"
_NO_ANSWER = "nobody has answered yet, so nothing can be wrong with the answer"
CANNOT_BE = {
    ("before connecting", "malformed", "stream"): _NO_ANSWER,
    ("before connecting", "malformed", "whole"): _NO_ANSWER,
    ("before connecting", "error", "stream"): _NO_ANSWER,
    ("before connecting", "error", "whole"): _NO_ANSWER,
    ("mid-answer", "error", "whole"): "an answer that has begun with 200 cannot become a 5xx",
    ("after usage", "client gone", "whole"): _ONE_BODY,
    ("after usage", "timeout", "whole"): _ONE_BODY,
    ("after usage", "cut", "whole"): _ONE_BODY,
    ("after usage", "error", "whole"): _ONE_BODY,
    ("after usage", "shut down", "whole"): _ONE_BODY,
}
_FAILURE = {"error": {"type": "overloaded_error", "message": "no"}}
_LAST = {
    "openai": [
        {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}},
        _FAILURE,
    ],
    "anthropic": [
        {"type": "message_start", "message": {"usage": {"input_tokens": 6, "output_tokens": 0}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 6, "output_tokens": 1},
        },
        {"type": "error", **_FAILURE},
    ],
}
_WIRES = {
    "no_http": lambda wire_format: b"I am no HTTP.\r\n\r\n",
    "no_event": lambda wire_format: wire.STREAM + b"data: {half\n\nand no event at all",
    "no_body": lambda wire_format: wire.WHOLE,
    "error_first": lambda wire_format: wire.STREAM + wire.events(_LAST[wire_format][-1]),
    "error_body": lambda wire_format: wire.WHOLE + b'{"error": {"message": "no"}}',
    "error_last": lambda wire_format: wire.STREAM + wire.events(*_LAST[wire_format]),
}


@pytest.fixture(scope="module")
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


def test_every_moment_and_cause_is_here_or_cannot_be():
    told = {cell[:3] for cell in CELLS}
    every = {(m, c, f) for m in MOMENTS for c in CAUSES for f in ("stream", "whole")}
    assert told | set(CANNOT_BE) == every
    assert not told & set(CANNOT_BE)
    assert len(told) == len(CELLS)


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(cell[:3]).replace(" ", "_"))
def test_whatever_breaks_the_charge_ends_as_told_and_the_books_balance(
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
        wait_until(lambda: not Charge.objects.filter(state="held").exists())
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
    if cell.how in _WIRES:
        with wire.wired(_WIRES[cell.how](wire_format)) as wired:
            supply("key-1", base_url=wired.base_url, provider=wire_format)
            yield lambda: wired.calls
    elif cell.how.startswith("nobody"):
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
        # Whoever comes later is served: the one before was seen to be gone.
        with session.open(b"{}").getresponse() as response:
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
        if cell.how == "nobody_answers":
            wait_until(lambda: Charge.objects.filter(state="held").exists())
        else:
            wait_until(lambda: sandbox.under_way() == 1)
        # It waits a second for what runs: by then, what was sent of the answer has come.
        gateway.stop()
        return answer.result()


def _check_seen(cell: Cell, answer: Answer | None) -> None:
    if answer is None:
        assert cell.sees == "nobody"
        return
    status, _, ending = cell.sees.partition(" ")
    assert answer.status == int(status), answer
    assert answer.whole == (ending != "broken"), answer
    assert (b"broke off" in answer.body) == (ending == "error" or status == "504"), answer
    # Butler itself says so only where the call may have been made; a provider's 503 is passed on.
    kept_from_retrying = answer.headers.get("x-should-retry") == "false"
    assert kept_from_retrying == (status == "504" or cell.cause == "shut down" and status == "503")


def _check_charge(cell: Cell, bound: int, log: list[dict]) -> None:
    if cell.ends == "not made":
        assert not Charge.objects.exists()
        return
    charge = Charge.objects.get()
    basis = {"provider": "provider", "released": charge.basis}.get(cell.ends, "estimated")
    state = "released" if cell.ends == "released" else "settled"
    assert (charge.state, charge.basis) == (state, basis)
    assert charge.held_tokens == bound + 40
    assert not charge.overrun
    if cell.ends == "released":
        assert (charge.tokens, charge.cost) == (0, 0)
    elif cell.ends == "hold":
        assert charge.tokens == charge.held_tokens
    elif cell.ends == "counted":
        # What was written is counted; what was read, unless the provider said it, is the bound.
        assert charge.input_tokens in (log[0]["input"], bound)
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
    # Nobody publishes its tokenizer: each byte may be a token.
    supply("key-1", model="claude-9")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, wire_format=wire_format)
        session.call(f"[[sandbox output=20 {how}]]", max_tokens=20, stream=stream)
        wait_until(lambda: not Charge.objects.filter(state="held").exists())
        assert session.call(max_tokens=20).status == 200, "the session goes on"
    charge = Charge.objects.order_by("pk").first()
    assert (charge.basis, charge.overrun) == ("estimated", False)
    assert 0 < charge.tokens <= charge.held_tokens
    assert_books_balance()
