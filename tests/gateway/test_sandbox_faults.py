"""The sandbox provider fails as it was asked to, and bills what it sent."""

import json
import socket
import time
from http.client import IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit

import pytest

from tests.gateway.sandbox import (
    CHAT,
    MESSAGES,
    RESPONSES,
    SPEAKING,
    call,
    opened,
    request,
    streamed,
)


def eventually(sandbox, calls):
    """The log once it has so many calls."""
    end = time.monotonic() + 10
    while len(sandbox.log()) < calls:
        assert time.monotonic() < end, "the call never ended"
    return sandbox.log()


@pytest.mark.parametrize(
    ("route", "status", "kind"),
    [(CHAT, 429, "requests"), (CHAT, 500, "server_error"), (MESSAGES, 529, "overloaded_error")],
)
def test_a_status_is_answered_in_the_formats_own_shape(sandbox, route, status, kind):
    body = request(route, f"[[sandbox status={status} retry_after=2]]", stream=True)
    with opened(sandbox, route, body) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (status, "2")
        assert json.load(answer)["error"]["type"] == kind
    assert sandbox.totals()["ada"]["input"] == 0


@pytest.mark.parametrize("route", SPEAKING)
def test_usage_can_be_missing_wrong_or_too_much(sandbox, route):
    out = "completion_tokens" if route == CHAT else "output_tokens"
    assert "usage" not in {
        name: value
        for name, value in call(sandbox, route, "[[sandbox usage=none]]")[1].items()
        if value is not None
    }
    assert call(sandbox, route, "[[sandbox usage=wrong]]")[1]["usage"][out] == "many"
    assert call(sandbox, route, "[[sandbox usage=over output=6]]")[1]["usage"][out] == 60
    assert [row["output"] > 0 for row in sandbox.log()] == [True] * 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", SPEAKING)
def test_a_cut_is_an_answer_that_is_not_whole(sandbox, route, stream):
    cuts = ["before_headers", "after_headers", "mid", "before_usage", "before_end"]
    for cut in cuts:
        body = request(route, f"[[sandbox cut={cut} output=40]]", stream=stream)
        with pytest.raises((IncompleteRead, RemoteDisconnected)):
            opened(sandbox, route, body).read()
    rows = sandbox.log()
    assert [row["finished"] for row in rows] == [False] * 5
    assert [row["status"] for row in rows] == [0, 200, 200, 200, 200]


@pytest.mark.parametrize("route", SPEAKING)
def test_a_stream_that_was_cut_bills_what_it_sent(sandbox, route):
    for cut in ("after_headers", "mid", "before_usage"):
        body = request(route, f"[[sandbox cut={cut} output=40]]", stream=True)
        with pytest.raises(IncompleteRead) as cut_short:
            opened(sandbox, route, body).read()
        words = _words_in(cut_short.value.partial.decode())
        row = sandbox.log()[-1]
        assert (row["output"], row["input"] > 0) == (words, True)
    assert [row["output"] for row in sandbox.log()][::2] == [0, 40]


def _words_in(stream):
    """How many words the deltas of a stream carried."""
    events = [json.loads(line[6:]) for line in stream.split("\n") if line.startswith("data: {")]
    texts = [
        value if isinstance(value, str) else value.get("text", "")
        for event in events
        for value in [
            event.get("delta", "")
            if "choices" not in event
            else event["choices"][0]["delta"].get("content", "")
        ]
    ]
    return len("".join(texts).split())


@pytest.mark.parametrize("route", SPEAKING)
def test_a_client_that_goes_away_is_billed_for_what_it_was_sent(sandbox, route):
    body = request(route, "[[sandbox output=40 slow_ms=10000]]", stream=True)
    answer = opened(sandbox, route, body)
    answer.fp.readline()
    assert sandbox.under_way() == 1
    answer.close()
    (row,) = eventually(sandbox, 1)
    assert (row["finished"], row["output"], row["input"] > 0) == (False, 0, True)


@pytest.mark.parametrize("route", SPEAKING)
def test_a_stream_can_fall_silent_and_stay_open(sandbox, route):
    body = request(route, "[[sandbox output=40 stall=before_usage]]", stream=True)
    answer = opened(sandbox, route, body)
    got = ""
    while _words_in(got) < 40:
        got += answer.readline().decode()
    assert (sandbox.under_way(), sandbox.log()) == (1, [])
    answer.close()
    (row,) = eventually(sandbox, 1)
    assert (row["finished"], row["output"]) == (False, 40)


def test_a_call_that_hangs_ends_when_the_client_goes_away(sandbox):
    connection = socket.create_connection(urlsplit(sandbox.url).netloc.split(":"))
    body = json.dumps(request(CHAT, "[[sandbox hang=yes]]"))
    head = f"POST {CHAT} HTTP/1.1\r\nx-api-key: sandbox-ada\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())
    while not sandbox.under_way():
        assert sandbox.log() == []
    connection.close()
    (row,) = eventually(sandbox, 1)
    assert (row["status"], row["finished"], row["input"]) == (0, False, 0)


def test_latency_comes_before_the_first_byte(sandbox):
    began = time.monotonic()
    call(sandbox, CHAT, "[[sandbox latency_ms=120]]")
    assert time.monotonic() - began >= 0.12


def test_malformed_is_no_json(sandbox):
    with opened(sandbox, CHAT, request(CHAT, "[[sandbox malformed=yes]]")) as answer:
        assert answer.status == 200
        with pytest.raises(json.JSONDecodeError):
            json.load(answer)
    for route in SPEAKING:
        with pytest.raises(json.JSONDecodeError):
            streamed(sandbox, route, "[[sandbox malformed=yes]]")


@pytest.mark.parametrize(
    ("route", "last"), [(CHAT, "error"), (RESPONSES, "response"), (MESSAGES, "error")]
)
def test_an_error_event_ends_a_stream(sandbox, route, last):
    events = streamed(sandbox, route, "[[sandbox error_event=yes output=40]]")
    assert last in events[-1]
    (row,) = sandbox.log()
    assert not row["finished"]
    assert 0 < row["output"] < 40


def test_a_planned_fault_meets_the_next_calls_of_its_key(sandbox):
    sandbox.fault(key="ada", status=429, retry_after=2, times=2)
    sandbox.fault(key="bob", status=500, times=-1)
    assert [call(sandbox, CHAT)[0] for _ in range(3)] == [429, 429, 200]
    for _ in range(3):
        assert opened(sandbox, CHAT, request(CHAT, "Hi"), key="sandbox-bob").status == 500
    sandbox.clear()
    assert opened(sandbox, CHAT, request(CHAT, "Hi"), key="sandbox-bob").status == 200


def test_a_fault_with_an_unknown_name_is_refused(sandbox):
    with opened(sandbox, "/sandbox/faults", {"key": "ada", "stauts": 429}) as answer:
        assert answer.status == 400
