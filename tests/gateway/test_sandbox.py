"""The sandbox provider answers, fails and bills as it was asked to."""

import json
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit

import pytest

from tests.gateway.sandbox import ROOT, running_sandbox

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
SPEAKING = [CHAT, RESPONSES, MESSAGES]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
KINDS = ("input", "cached", "cache_write", "cache_write_1h", "output", "reasoning")


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    file = tmp_path_factory.mktemp("sandbox") / "calls.jsonl"
    with running_sandbox("--log", str(file)) as sandbox:
        sandbox.file = file
        yield sandbox


@pytest.fixture
def sandbox(process):
    process.clear()
    return process


def request(route, text, **changes):
    """A request of a route, whose user says `text`."""
    said = [{"role": "user", "content": text}]
    body = {
        CHAT: {"messages": said},
        RESPONSES: {"input": said},
        MESSAGES: {"messages": said, "max_tokens": 1000},
        "/v1/embeddings": {"input": text},
        "/v1/messages/count_tokens": {"messages": said},
    }[route]
    return {"model": "m-1", **body, **changes}


def opened(sandbox, route, body, *, key="sandbox-ada", method="POST"):
    """The answer to a call, unread."""
    connection = HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, route, None if body is None else json.dumps(body), headers)
    return connection.getresponse()


def call(sandbox, route, text="Hello", **changes):
    """Status and body of an answer that is no stream."""
    with opened(sandbox, route, request(route, text, **changes)) as answer:
        return answer.status, json.load(answer)


def streamed(sandbox, route, text="Hello", **changes):
    """The data of every event of a stream, `[DONE]` left as it is."""
    with opened(sandbox, route, request(route, text, stream=True, **changes)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.read().decode().split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


def said(route, answer):
    """The text of an answer."""
    if route == CHAT:
        return answer["choices"][0]["message"]["content"]
    part = answer["output"][0] if route == RESPONSES else answer
    return part["content"][0]["text"]


def billed(sandbox):
    """Tokens of the only call by kind, without those that are 0."""
    (row,) = sandbox.log()
    return {kind: row[kind] for kind in KINDS if row[kind]}


def eventually(sandbox, calls):
    """The log once it has so many calls."""
    end = time.monotonic() + 10
    while len(sandbox.log()) < calls:
        assert time.monotonic() < end, "the call never ended"
    return sandbox.log()


def test_it_starts_without_django():
    code = "import sys, gateway.sandbox.server; print('django' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout == "False\n", ran.stderr


def test_it_says_as_many_words_as_asked_for(sandbox):
    _, answer = call(sandbox, CHAT, "[[sandbox output=200]]")
    assert len(said(CHAT, answer).split()) == 200


@pytest.mark.parametrize("route", SPEAKING)
def test_the_same_request_gets_the_same_answer_and_usage_but_another_id(sandbox, route):
    first, second = call(sandbox, route)[1], call(sandbox, route)[1]
    assert said(route, first) == said(route, second)
    assert first["usage"] == second["usage"]
    assert first["id"] != second["id"]
    assert said(route, first) != said(route, call(sandbox, route, "Another")[1])


@pytest.mark.parametrize("route", SPEAKING)
def test_what_is_reported_is_what_was_said_and_what_is_logged(sandbox, route):
    _, answer = call(sandbox, route)
    (row,) = sandbox.log()
    usage = answer["usage"]
    assert len(said(route, answer).split()) == row["output"]
    assert usage.get("output_tokens", usage.get("completion_tokens")) == row["output"]
    assert usage.get("input_tokens", usage.get("prompt_tokens")) == row["input"] > 0
    assert (row["id"], row["key"], row["model"]) == (answer["id"], "ada", "m-1")
    assert (row["route"], row["status"], row["finished"]) == (route, 200, True)


def test_a_chat_stream_has_its_parts_in_order(sandbox):
    events = streamed(sandbox, CHAT, "[[sandbox output=9 chunks=3]]")
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    assert deltas[0]["role"] == "assistant"
    assert len("".join(delta.get("content", "") for delta in deltas).split()) == 9
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1] == "[DONE]"
    assert len(events) == 6


def test_a_chat_stream_tells_its_usage_only_if_asked(sandbox):
    assert not [e for e in streamed(sandbox, CHAT)[:-1] if "usage" in e]
    events = streamed(sandbox, CHAT, stream_options={"include_usage": True})
    assert [event["usage"] for event in events[:-2]] == [None] * (len(events) - 2)
    assert events[-2]["choices"] == []
    assert events[-2]["usage"]["completion_tokens"] == sandbox.log()[-1]["output"]


def test_a_response_stream_has_its_events_in_order(sandbox):
    events = streamed(sandbox, RESPONSES, "[[sandbox output=4 chunks=2]]")
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    assert [event["sequence_number"] for event in events] == list(range(10))
    assert events[-1]["response"]["usage"]["output_tokens"] == 4
    assert len(said(RESPONSES, events[-1]["response"]).split()) == 4


def test_a_message_stream_has_its_events_in_order(sandbox):
    events = streamed(sandbox, MESSAGES, "[[sandbox output=4 chunks=2 cached=7]]")
    assert [event["type"] for event in events] == [
        *("message_start", "content_block_start", "ping"),
        *("content_block_delta", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert events[0]["message"]["usage"]["cache_read_input_tokens"] == 7
    assert events[-2]["usage"]["output_tokens"] == 4
    assert events[-2]["delta"]["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("route", "maximum", "told"),
    [
        (CHAT, {"max_tokens": 16}, ("choices", 0, "finish_reason", "length")),
        (CHAT, {"max_completion_tokens": 16}, ("choices", 0, "finish_reason", "length")),
        (RESPONSES, {"max_output_tokens": 16}, ("status", "incomplete")),
        (MESSAGES, {"max_tokens": 16}, ("stop_reason", "max_tokens")),
    ],
)
def test_the_asked_maximum_ends_an_answer(sandbox, route, maximum, told):
    _, answer = call(sandbox, route, "[[sandbox output=50 reasoning=6]]", **maximum)
    assert len(said(route, answer).split()) == 10
    assert billed(sandbox)["output"] == 16
    *way, value = told
    for step in way:
        answer = answer[step]
    assert answer == value


def test_every_choice_is_answered_and_billed(sandbox):
    _, answer = call(sandbox, CHAT, "[[sandbox output=5]]", n=3)
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert [len(text.split()) for text in texts] == [5, 5, 5]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == billed(sandbox)["output"] == 15
    events = streamed(sandbox, CHAT, "[[sandbox output=5]]", n=3)
    assert {event["choices"][0]["index"] for event in events[:-1]} == {0, 1, 2}


def test_input_includes_what_was_cached_and_written(sandbox):
    text = "[[sandbox input=100 cached=20 cache_write=5 cache_write_1h=3 reasoning=2 output=9]]"
    _, answer = call(sandbox, MESSAGES, text)
    assert billed(sandbox) == {
        "input": 100,
        "cached": 20,
        "cache_write": 5,
        "cache_write_1h": 3,
        "output": 9,
        "reasoning": 2,
    }
    assert answer["usage"]["input_tokens"] == 72
    assert answer["usage"]["cache_creation_input_tokens"] == 8
    assert answer["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 3


def test_audio_and_cost_are_told(sandbox):
    _, answer = call(sandbox, CHAT, "[[sandbox audio_in=30 audio_out=4 cost=0.0123]]")
    assert answer["usage"]["prompt_tokens_details"]["audio_tokens"] == 30
    assert answer["usage"]["completion_tokens_details"]["audio_tokens"] == 4
    assert answer["usage"]["cost"] == sandbox.log()[0]["cost"] == 0.0123


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("route", "tool"),
    [
        (CHAT, {"type": "function", "function": {"name": "look", "parameters": CITY}}),
        (RESPONSES, {"type": "function", "name": "look", "parameters": CITY}),
        (MESSAGES, {"name": "look", "input_schema": CITY}),
    ],
)
def test_a_tool_is_called_if_there_is_one(sandbox, route, tool, stream):
    asked = {"tools": [tool], "stream": stream}
    with opened(sandbox, route, request(route, "[[sandbox tool=look]]", **asked)) as answer:
        got = answer.read().decode()
    # Joined, the pieces of a stream are the arguments.
    pieces = [
        value
        for line in got.replace("data: ", "").split("\n")
        if line.startswith("{")
        for value in _found(json.loads(line), {"arguments", "partial_json", "delta", "input"})
    ]
    assert '{"city":"sandbox"}' in "".join(pieces)
    assert '"name":"look"' in got
    assert said(route, call(sandbox, route, "[[sandbox tool=look]]")[1])


def _found(value, names):
    """Texts, or whole objects as JSON, below one of these names, in order."""
    if isinstance(value, list):
        return [each for one in value for each in _found(one, names)]
    if not isinstance(value, dict):
        return []
    return [
        each
        for name, one in value.items()
        for each in (
            [one]
            if name in names and isinstance(one, str)
            else [json.dumps(one, separators=(",", ":"))]
            if name == "input" and one
            else _found(one, names)
        )
    ]


@pytest.mark.parametrize(
    ("route", "result"),
    [
        (CHAT, ("messages", {"role": "tool", "tool_call_id": "1", "content": "rain"})),
        (RESPONSES, ("input", {"type": "function_call_output", "call_id": "1", "output": "rain"})),
        (
            MESSAGES,
            (
                "messages",
                {"role": "user", "content": [{"type": "tool_result", "content": "rain"}]},
            ),
        ),
    ],
)
def test_a_tools_result_is_answered_with_text(sandbox, route, result):
    tool = {"name": "look", "function": {"name": "look"}}
    body = request(route, "[[sandbox tool=look output=7]]", tools=[tool])
    body[result[0]].append(result[1])
    with opened(sandbox, route, body) as answer:
        assert len(said(route, json.load(answer)).split()) == 7


def test_embeddings_come_for_texts_and_tokens_in_both_encodings(sandbox):
    _, answer = call(sandbox, "/v1/embeddings", input=["one", "two"], dimensions=4)
    assert [len(one["embedding"]) for one in answer["data"]] == [4, 4]
    _, answer = call(sandbox, "/v1/embeddings", input=[[1, 2, 3], [4]], encoding_format="base64")
    assert isinstance(answer["data"][0]["embedding"], str)
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert sandbox.log()[-1]["input"] == 4


def test_counting_tokens_costs_nothing(sandbox):
    _, answer = call(sandbox, "/v1/messages/count_tokens")
    assert answer["input_tokens"] > 0
    assert billed(sandbox) == {}


def test_models_are_listed(sandbox):
    with opened(sandbox, "/v1/models", None, method="GET") as answer:
        assert len(json.load(answer)["data"]) == 3


@pytest.mark.parametrize("route", SPEAKING)
def test_nobody_is_answered_without_a_credential(sandbox, route):
    with opened(sandbox, route, request(route, "Hello"), key="") as answer:
        assert answer.status == 401
        error = json.load(answer)["error"]
    assert error["type"] == (
        "authentication_error" if route == MESSAGES else "invalid_request_error"
    )


def test_a_secret_is_never_logged(sandbox):
    opened(sandbox, CHAT, request(CHAT, "Hello"), key="sk-very-secret").read()
    (row,) = sandbox.log()
    assert len(row["key"]) == 12
    assert "sk-very-secret" not in sandbox.file.read_text()


@pytest.mark.parametrize(
    ("route", "changes"),
    [
        (CHAT, {"messages": []}),
        (CHAT, {"model": None}),
        (CHAT, {"max_tokens": 0}),
        (RESPONSES, {"max_output_tokens": 15}),
        (MESSAGES, {"max_tokens": None}),
        ("/v1/embeddings", {"input": []}),
    ],
)
def test_what_a_provider_refuses_is_refused(sandbox, route, changes):
    assert call(sandbox, route, **changes)[0] == 400
    assert billed(sandbox) == {}


def test_a_misspelt_directive_is_refused(sandbox):
    status, answer = call(sandbox, CHAT, "[[sandbox outptu=5]]")
    assert status == 400
    assert "outptu" in answer["error"]["message"]


def test_only_the_last_text_of_the_user_directs(sandbox):
    earlier = {"role": "user", "content": "[[sandbox status=500]]"}
    now = {"role": "user", "content": [{"type": "text", "text": "[[sandbox output=3]]"}]}
    assert call(sandbox, CHAT, messages=[earlier, now])[0] == 200


@pytest.mark.parametrize(
    ("route", "status", "kind"),
    [(CHAT, 429, "requests"), (CHAT, 500, "server_error"), (MESSAGES, 529, "overloaded_error")],
)
def test_a_status_is_answered_in_the_formats_own_shape(sandbox, route, status, kind):
    body = request(route, f"[[sandbox status={status} retry_after=2]]", stream=True)
    with opened(sandbox, route, body) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (status, "2")
        assert json.load(answer)["error"]["type"] == kind
    assert billed(sandbox) == {}


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


def test_the_log_can_be_read_on_and_summed_up(sandbox):
    for number in range(1, 5):
        call(sandbox, CHAT, f"[[sandbox input={number * 100} output=5]]")
    call(sandbox, CHAT, "[[sandbox status=500]]")
    rows = sandbox.log()
    assert sandbox.log(after=rows[1]["number"]) == rows[2:]
    totals = sandbox.totals()["ada"]
    assert (totals["calls"], totals["failed"], totals["input"], totals["output"]) == (
        5,
        1,
        1000,
        20,
    )
    assert sandbox.totals(by="route")[CHAT] == totals
    sandbox.clear()
    assert (sandbox.log(), sandbox.totals()) == ([], {})


def test_the_file_has_what_the_log_has(sandbox):
    call(sandbox, MESSAGES)
    logged = sandbox.log()
    assert [json.loads(sandbox.file.read_text().splitlines()[-1])] == logged


def test_the_command_runs_the_same_server():
    ran = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox_provider", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = ran.stdout.readline().split()[-1]
        connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("HEAD", "/")
        assert connection.getresponse().status == 200
    finally:
        ran.terminate()
        ran.wait(timeout=10)
        ran.stdout.close()
