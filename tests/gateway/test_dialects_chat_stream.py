"""A stream of chat completions is metered as it goes by."""

import msgspec
import pytest

from gateway.dialects import CHAT, Splitter
from keys.services import Usage
from keys.supply.model_facts import facts_by_name

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
REPORTED = Usage(input_tokens=9, output_tokens=3)
DONE = b"data: [DONE]\n\n"


def event(**fields):
    """One chunk as an event."""
    return b"data: " + msgspec.json.encode({"id": "chatcmpl-1", **fields}) + b"\n\n"


def piece(finish_reason=None, index=0, **delta):
    """A chunk with one choice."""
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


def meter(*, n=1, usage_requested=False):
    """A meter of a stream."""
    options = {"stream_options": {"include_usage": True}} if usage_requested else {}
    request = {"model": "gpt-4o", "stream": True, "n": n, **options}
    return CHAT.meter(CHAT.parse(msgspec.json.encode(request)))


def fed(watch, *events):
    """What the client gets of these events."""
    return [watch.feed(one) for one in events]


HELLO = event(**piece(role="assistant", content="Hello there"))
STOP = event(**piece("stop"))
ALONE = event(choices=[], usage=USAGE)


def test_the_usage_chunk_is_dropped_when_the_client_did_not_ask():
    watch = meter()
    assert fed(watch, HELLO, STOP, ALONE, DONE) == [HELLO, STOP, b"", DONE]
    assert watch.report.usage == REPORTED
    assert watch.report.provider_request_id == "chatcmpl-1"
    assert watch.ended
    assert watch.error is None


def test_the_usage_chunk_passes_when_the_client_asked():
    watch = meter(usage_requested=True)
    assert fed(watch, HELLO, STOP, ALONE, DONE) == [HELLO, STOP, ALONE, DONE]
    assert watch.report.usage == REPORTED


def test_usage_in_a_chunk_with_choices_is_read_and_never_dropped():
    last = event(**piece("stop"), usage=USAGE)
    watch = meter()
    assert fed(watch, HELLO, last) == [HELLO, last]
    assert watch.report.usage == REPORTED
    assert not watch.ended


def test_a_chunk_without_choices_and_usage_passes():
    filters = event(choices=[], prompt_filter_results=[{"prompt_index": 0}])
    assert fed(meter(), filters) == [filters]


def test_usage_wrapped_by_groq_is_read():
    watch = meter()
    first = event(**piece(content="x"), x_groq={"id": "req_1"})
    fed(watch, first, event(**piece("stop"), x_groq={"id": "req_1", "usage": USAGE}))
    assert watch.report.usage == REPORTED


def test_usage_in_every_chunk_counts_only_once_the_answer_is_finished():
    watch = meter()
    growing = [{"prompt_tokens": 9, "completion_tokens": n} for n in (1, 2, 3)]
    fed(watch, event(**piece(content="a"), usage=growing[0]))
    fed(watch, event(**piece(content="b"), usage=growing[1]))
    assert watch.report is None
    assert watch.evidence(model=facts_by_name("gpt-4o")) == Usage(input_tokens=9, output_tokens=2)
    fed(watch, event(**piece("stop"), usage=growing[2]))
    assert watch.report.usage == REPORTED


def test_usage_that_came_too_early_counts_when_nothing_better_came():
    watch = meter()
    fed(watch, event(**piece(content="a"), usage=USAGE), STOP, DONE)
    assert watch.report.usage == REPORTED


def test_every_choice_must_be_finished():
    watch = meter(n=2)
    fed(watch, event(**piece("stop", index=0), usage=USAGE))
    fed(watch, event(**piece("stop", index=0), usage=USAGE))
    assert watch.report is None
    fed(watch, event(**piece("stop", index=1), usage=USAGE))
    assert watch.report.usage == REPORTED


def test_a_usage_that_cannot_be_believed_is_dropped_and_not_reported():
    watch = meter()
    nonsense = event(choices=[], usage={"prompt_tokens": -1, "completion_tokens": 3})
    assert fed(watch, HELLO, STOP, nonsense) == [HELLO, STOP, b""]
    assert watch.report is None


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "one two three"},
        {"reasoning_content": "one two three"},
        {"reasoning": "one two three"},
        {"refusal": "one two three"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "one two three"}}]},
        {"function_call": {"arguments": "one two three"}},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "one two three"}]}
            ]
        },
    ],
)
def test_what_was_written_is_evidence(delta):
    watch = meter()
    fed(watch, event(**piece(**delta)))
    assert watch.evidence(model=facts_by_name("gpt-4o")) == Usage(output_tokens=3)


def test_nothing_written_is_no_evidence():
    watch = meter()
    fed(watch, event(**piece(role="assistant", content="")))
    assert watch.evidence(model=facts_by_name("gpt-4o")) is None


def test_an_error_in_the_stream_is_a_failure():
    watch = meter()
    error = event(error={"message": "overloaded", "code": 502})
    assert fed(watch, HELLO, error) == [HELLO, error]
    assert watch.error
    assert not watch.ended


@pytest.mark.parametrize(
    "odd",
    [
        b": keep-alive\n\n",
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b"data: \xff\xfe\n\n",
        b"data: {" + b'"a":{' * 100_000 + b"\n\n",
        b'data: {"usage":{"cost":1e99999999999999999999}}\n\n',
        b"event: ping\n\n",
        b"\n\n",
        b"no field at all",
    ],
)
def test_what_is_not_understood_passes_untouched(odd):
    watch = meter()
    assert fed(watch, odd, HELLO, STOP, ALONE, DONE) == [odd, HELLO, STOP, b"", DONE]
    assert watch.report.usage == REPORTED


def test_choices_of_an_odd_shape_pass_and_their_usage_counts():
    odd = event(choices={"0": {"text": "one two three"}}, usage=USAGE)
    watch = meter()
    assert fed(watch, odd, DONE) == [odd, DONE]
    assert watch.report.usage == REPORTED


@pytest.mark.parametrize(
    "stream",
    [
        (HELLO + STOP + ALONE + DONE).replace(b"\n", b"\r\n"),
        (HELLO + STOP + ALONE + DONE).replace(b"\n", b"\r"),
        (HELLO + STOP + ALONE + DONE).replace(b"\n\n", b"\n\r\n"),
        (HELLO + STOP + ALONE + DONE).replace(b"\n\n", b"\r\n\n"),
        (HELLO + STOP + ALONE + DONE).replace(b"data: ", b"data:"),
        (HELLO + STOP + ALONE + DONE).replace(b'"usage":', b'\ndata: "usage":'),
        b"\xef\xbb\xbf" + ALONE + DONE,
        event(usage=USAGE) + DONE,
        event(choices=[], usage=None) + STOP + ALONE + DONE,
    ],
)
def test_an_oddly_written_stream_is_metered_alike(stream):
    for size in (1, 7, len(stream)):
        watch, splitter = meter(), Splitter()
        chunks = (stream[at : at + size] for at in range(0, len(stream), size))
        fed(watch, *(one for chunk in chunks for one in splitter.feed(chunk)))
        assert splitter.rest() == b""
        assert watch.report.usage == REPORTED
        assert watch.ended


def test_a_stream_cut_at_any_byte_is_metered_alike():
    stream = HELLO + STOP + ALONE + DONE
    for at in range(len(stream) + 1):
        watch, splitter = meter(), Splitter()
        events = splitter.feed(stream[:at]) + splitter.feed(stream[at:])
        assert b"".join(fed(watch, *events)) == HELLO + STOP + DONE
        assert watch.report.usage == REPORTED
        assert watch.evidence(model=facts_by_name("gpt-4o")) == Usage(
            input_tokens=9, output_tokens=3
        )


def test_characters_cut_in_the_middle_arrive_whole():
    text = "你好，世界 🎉 é"
    delta = {"choices": [{"index": 0, "delta": {"content": text}}]}
    stream = b"data: " + msgspec.json.encode(delta) + b"\n\n" + STOP + ALONE + DONE
    watch, splitter, got = meter(), Splitter(), []
    for at in range(0, len(stream), 7):
        got += fed(watch, *splitter.feed(stream[at : at + 7]))
    assert b"".join(got) == stream.replace(ALONE, b"")
    assert text.encode() in b"".join(got)
    assert watch.report.usage == REPORTED


def test_a_whole_answer_without_usage_is_counted():
    message = {"role": "assistant", "content": "one two three", "tool_calls": None}
    answer = {"id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert CHAT.usage_report(msgspec.json.encode(answer)) is None
    assert CHAT.count_output(msgspec.json.encode(answer), model=facts_by_name("gpt-4o")) == 3
    assert CHAT.count_output(b"one two three", model=facts_by_name("gpt-4o")) == 3
    assert CHAT.count_output(b"{}", model=facts_by_name("gpt-4o")) == 0
