"""How a stream ends: whole, or broken off, and what is charged when no usage was reported."""

import json
import re

import pytest

from tests.gateway import wire
from tests.gateway.provider import ask, http, piece, stream_of
from tests.gateway.server import Answer

__all__ = ["ask"]
pytestmark = pytest.mark.django_db(transaction=True)
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PROVIDERS = {MESSAGES: "anthropic"}
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
START = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9}}}
TEXT = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "one two three"}}
STOP = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
CREATED = {"type": "response.created", "response": {"id": "r"}}
DELTA = {"type": "response.output_text.delta", "delta": "one two three"}


def other_choice(finish_reason=None):
    """A chunk of the second of two choices."""
    return piece("one two three", finish_reason, index=1)


# Streams that end without the event that should close them, but have all that belongs to them.
WHOLE = {
    "no [DONE]": (CHAT, [piece("one two three"), piece(None, "stop")], {}),
    "no [DONE], cut at the maximum": (CHAT, [piece("one two three"), piece(None, "length")], {}),
    "no [DONE], a tool": (CHAT, [piece("one two three"), piece(None, "tool_calls")], {}),
    "finished with its last text": (CHAT, [piece("one two three", "stop")], {}),
    "a comment at the end": (CHAT, [piece("one two three", "stop"), b": bye"], {}),
    "no blank line at the end": (CHAT, [piece("one two three", "stop"), b"data: [DONE]"], {}),
    "no [DONE], TGI's reason": (CHAT, [piece("one two three", "eos_token")], {}),
    "an event named done": (
        CHAT,
        [piece("one two three", "stop"), b"event: done\ndata: {}\n\n"],
        {},
    ),
    "the end in small letters": (CHAT, [piece("one two three", "stop"), b"data: [done]\n\n"], {}),
    "keep-alive comments after the finish": (
        CHAT,
        [b": keep-alive\n\n", piece("one two three", "stop"), b": keep-alive\n\n" * 3],
        {},
    ),
    "an index that is a text": (CHAT, [piece("one two three", "stop", index="0")], {}),
    "two choices": (CHAT, [piece("", "stop"), other_choice("stop")], {"n": 2}),
    "no message_stop": (MESSAGES, [START, TEXT, {**STOP, "usage": {}}], {}),
}


@pytest.mark.parametrize(("path", "events", "fields"), WHOLE.values(), ids=WHOLE)
def test_a_finished_answer_whose_connection_closes_in_order_is_whole(ask, path, events, fields):
    response = stream_of(*events)
    provider = PROVIDERS.get(path, "nvidia")
    found = ask(response, path=path, provider=provider, stream=True, **fields)
    assert found.answer.body == response.partition(b"\r\n\r\n")[2]
    assert found.usage[1:] == (3, "estimated")


BROKEN = {
    "nothing finished": (CHAT, [piece("one two three")], {}),
    "an empty reason": (CHAT, [piece("one two three", "")], {}),
    "one of two choices": (CHAT, [piece("one two three", "stop"), other_choice()], {"n": 2}),
    "half a chunk at the end": (
        CHAT,
        [piece("one two three", "stop"), b'data: {"choices":[],'],
        {},
    ),
    "half a word at the end": (CHAT, [piece("one two three", "stop"), b"data: [DO"], {}),
    "messages": (MESSAGES, [START, TEXT], {}),
    "responses": (RESPONSES, [CREATED, DELTA], {}),
    "responses, only the text is done": (
        RESPONSES,
        [CREATED, DELTA, {"type": "response.output_text.done", "text": "one two three"}],
        {},
    ),
}


@pytest.mark.parametrize(("path", "events", "fields"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_not_finished_ends_with_an_error(ask, path, events, fields):
    provider = PROVIDERS.get(path, "openai")
    found = ask(stream_of(*events), path=path, provider=provider, stream=True, **fields)
    assert b"broke off" in found.answer.body
    assert found.usage[2] == "estimated"
    assert found.charge.output_tokens >= 3


def test_a_connection_that_breaks_after_the_finish_is_broken(ask):
    response = stream_of(piece("one two three", "stop"))
    body = response.partition(b"\r\n\r\n")[2]
    longer = response.replace(f"length: {len(body)}".encode(), f"length: {len(body) + 9}".encode())
    found = ask(longer, stream=True)
    assert b"broke off" in found.answer.body
    assert found.usage[1:] == (3, "estimated")


ENDED = {
    "[DONE]": (CHAT, [piece("x", "stop"), {"choices": [], "usage": USAGE}, b"data: [DONE]\n\n"]),
    "message_stop": (
        MESSAGES,
        [
            {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 20}}},
            {**STOP, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ],
    ),
    "response.completed": (
        RESPONSES,
        [
            CREATED,
            {
                "type": "response.completed",
                "response": {"id": "r", "usage": {"input_tokens": 20, "output_tokens": 5}},
            },
        ],
    ),
    "no [DONE] after the usage": (CHAT, [piece("x", "stop"), {"choices": [], "usage": USAGE}]),
}


@pytest.mark.parametrize(("path", "events"), ENDED.values(), ids=ENDED)
def test_an_answer_with_its_usage_is_whole(ask, path, events):
    found = ask(stream_of(*events), path=path, provider=PROVIDERS.get(path, "openai"), stream=True)
    assert b"broke off" not in found.answer.body
    assert found.usage == (20, 5, "provider")


# ---- no usage was reported -----------------------------------------------------------------------

TEXT_OF_1212_BYTES = "The quick brown fox " * 60 + "jumps over t"


def leave(way) -> Answer:
    """Read all that came so far, and leave while the stream goes on."""
    response, seen = way.getresponse(), b""
    while b"jumps over t" not in seen:
        seen += response.read1()
    way.sock.close()
    response.close()
    return Answer(response.status, {}, seen, whole=False)


@pytest.mark.parametrize(
    ("path", "events", "usage"),
    [
        (MESSAGES, [START], (9, 347, "estimated")),
        # A provider that said more than can be counted is believed.
        (MESSAGES, [START, {"type": "message_delta", "usage": {"output_tokens": 400}}], (9, 400)),
        (CHAT, [], (9, 347, "estimated")),
        (RESPONSES, [CREATED], (9, 347, "estimated")),
    ],
)
def test_a_stream_that_its_reader_leaves_is_charged_at_the_best_guess(ask, path, events, usage):
    """O04."""
    deltas = {
        MESSAGES: {**TEXT, "delta": {"type": "text_delta", "text": TEXT_OF_1212_BYTES}},
        CHAT: piece(TEXT_OF_1212_BYTES),
        RESPONSES: {**DELTA, "delta": TEXT_OF_1212_BYTES},
    }
    response = stream_of(*events, deltas[path])
    # It never ends: more is announced than comes.
    response = response.replace(b"content-length: ", b"content-length: 9")
    found = ask(
        response,
        hold_open=True,
        path=path,
        model="claude-sonnet-5",
        provider=PROVIDERS.get(path, "openai"),
        stream=True,
        read=leave,
        **{"max_output_tokens" if path == RESPONSES else "max_tokens": 4_000},
    )
    assert len(TEXT_OF_1212_BYTES) == 1212
    assert found.usage[: len(usage)] == usage


def test_where_the_tokenizer_is_public_the_text_is_counted(ask):
    """O04."""
    found = ask(stream_of(piece("one two three", "stop")), stream=True, said="hello there")
    assert found.usage == (9, 3, "estimated")


@pytest.mark.parametrize(
    ("model", "said", "tokens"),
    [
        ("claude-sonnet-5", "x" * 3_500, 1_007),
        ("mistral-large", "x" * 350, 107),
        ("deepseek-chat", "你好" * 70, 127),
        ("llama-4", "hi", 8),
        ("qwen3-max", "é" * 35, 27),
    ],
)
def test_the_input_that_no_one_reports_is_guessed_from_the_text(ask, model, said, tokens):
    found = ask(stream_of(piece("ok", "stop")), stream=True, model=model, said=said)
    assert found.usage == (tokens, 1, "estimated")


def test_a_whole_answer_without_usage_is_charged_at_the_best_guess(ask):
    """O04."""
    body = json.dumps({"choices": [{"message": {"content": "x" * 35}}]}).encode()
    assert ask(http(body), model="llama-4").usage == (9, 10, "estimated")


def cut(body: dict, at: str, *, announces: bool = True) -> bytes:
    """A whole answer of which only what stands before `at` comes."""
    response = http(json.dumps(body).encode())
    head, _, text = response.partition(b"\r\n\r\n")
    if not announces:
        head = re.sub(rb"content-length: \d+", b"transfer-encoding: chunked", head)
        text = text[: text.index(at.encode())]
        return head + b"\r\n\r\n%x\r\n%s\r\n" % (len(text), text)
    return head + b"\r\n\r\n" + text[: text.index(at.encode())]


WHOLE = {
    "id": "c-1",
    "choices": [{"message": {"content": "one two three " * 100 + "END"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 305, "total_tokens": 325},
}
HALF = {"choices": [{"message": {"content": f"{'one two three ' * 50}END{' four' * 150}"}}]}
BLOCK = {"type": "text", "text": "x" * 3500 + "END"}
MESSAGE = {"content": [BLOCK], "usage": {"input_tokens": 9, "output_tokens": 1001}}
# Each with what the provider bills, of the output give or take a tenth.
CUT = {
    "in the text": (CHAT, cut(WHOLE, "END"), 8, 305),
    "half-way": (CHAT, cut(HALF, "END"), 8, 301),
    "after the usage": (CHAT, cut({**WHOLE, "z": "END of it"}, "END of it"), 20, 305),
    "in the usage": (CHAT, cut(WHOLE, '5, "total_tokens"'), 20, 301),
    "without a length": (CHAT, cut(WHOLE, "END", announces=False), 8, 301),
    "a message": (MESSAGES, cut(MESSAGE, "END"), 8, 430),
    # Half a character in the text, which no reader of JSON takes.
    "no text": (CHAT, cut({"choices": [{"text": "\ud800" + " one" * 300 + "END"}]}, "END"), 8, 301),
}


@pytest.mark.parametrize(
    ("path", "response", "input_tokens", "output_tokens"), CUT.values(), ids=CUT
)
def test_a_whole_answer_that_breaks_off_is_charged_for_what_came_and_not_for_its_hold(
    ask, path, response, input_tokens, output_tokens
):
    """O04."""
    provider = PROVIDERS.get(path, "openai")
    found = ask(response, path=path, provider=provider, max_tokens=4_000)
    assert (found.answer.status, found.charge.basis) == (504, "estimated")
    assert found.charge.held_tokens > 4_000
    assert found.charge.input_tokens == input_tokens
    assert output_tokens <= found.charge.output_tokens <= output_tokens * 1.1


@pytest.mark.parametrize("at", ['{"id', '"choices"', "one two"])
def test_a_whole_answer_that_breaks_off_before_its_text_costs_the_hold(ask, at):
    """O04."""
    found = ask(cut(WHOLE, at), max_tokens=4_000)
    assert found.charge.tokens == found.charge.held_tokens


ERROR = {"error": {"message": "boom", "code": 500}}
ARGUMENTS = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a": "one"'}}
FAILED = {
    "an error after some text": (CHAT, [piece("one two three"), ERROR], 11),
    "an error and nothing else": (CHAT, [ERROR], 0),
    "the usage so far": (
        CHAT,
        [{**piece("one two three"), "usage": {"prompt_tokens": 20, "completion_tokens": 1}}],
        23,
    ),
    "the arguments of a tool": (
        CHAT,
        [{"choices": [{"index": 0, "delta": {"tool_calls": [ARGUMENTS]}}]}],
        None,
    ),
    "an overload after some text": (
        MESSAGES,
        [START, TEXT, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}],
        12,
    ),
    "a response that fails": (
        RESPONSES,
        [CREATED, DELTA, {"type": "response.failed", "response": {"status": "failed", **ERROR}}],
        11,
    ),
}


@pytest.mark.parametrize(("path", "events", "tokens"), FAILED.values(), ids=FAILED)
def test_a_stream_that_fails_is_charged_for_what_came_and_not_for_its_hold(
    ask, path, events, tokens
):
    """O04."""
    most = "max_output_tokens" if path == RESPONSES else "max_tokens"
    provider = PROVIDERS.get(path, "openai")
    found = ask(stream_of(*events), path=path, provider=provider, stream=True, **{most: 4_000})
    assert found.charge.held_tokens > 4_000
    if tokens is None:
        assert 8 < found.charge.tokens < 40
    else:
        assert found.charge.tokens == tokens


def test_an_empty_answer_that_ends_in_order_costs_its_input(ask):
    found = ask(stream_of(piece("", "stop"), b"data: [DONE]\n\n"), stream=True)
    assert found.usage == (8, 0, "estimated")


def test_an_image_is_guessed_by_its_rule_and_not_by_its_bytes(ask):
    image = {"url": "data:image/png;base64," + "A" * 20_000, "detail": "low"}
    content = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": image}]
    messages = [{"role": "user", "content": content}]
    found = ask(stream_of(piece("ok", "stop")), stream=True, messages=messages)
    assert found.usage == (85 + 8, 1, "estimated")


def test_what_is_guessed_is_never_more_than_was_held(ask):
    found = ask(stream_of(piece("x" * 9_000, "stop")), stream=True, model="llama-4", max_tokens=50)
    assert 50 < found.charge.tokens == found.charge.held_tokens


def test_events_of_a_stream_are_passed_on_as_they_came(ask):
    events = [b"id: 7\r\ndata: {}\r\n\r\n", b": ping\n\n", b"event: ping\ndata:{}\n\n"]
    stream = [*events, piece("ok", "stop"), b"data: [DONE]"]
    found = ask(stream_of(*stream), stream=True)
    assert (
        found.answer.body == b"".join(events) + wire.events(piece("ok", "stop")) + b"data: [DONE]"
    )
