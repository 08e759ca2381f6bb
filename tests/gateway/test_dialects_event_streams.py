"""Streams of typed events, Anthropic's messages and OpenAI's responses, are metered."""

import msgspec
import pytest

from gateway.dialects import CHAT, EMBEDDINGS, MESSAGES, RESPONSES, Splitter
from keys.services import Usage
from keys.supply.model_facts import facts_by_name


def event(kind, **fields):
    """One typed event."""
    data = msgspec.json.encode({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def meter(dialect):
    """A meter of a stream."""
    return dialect.meter(dialect.parse(b'{"model":"m","stream":true,"max_tokens":99}'))


def fed(watch, *events):
    """Feed events; all must pass untouched."""
    for one in events:
        assert watch.feed(one) == one
    return watch


def delta(**fields):
    """A piece of a message's content."""
    return event("content_block_delta", index=0, delta=fields)


START_USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 1,
}
START = event("message_start", message={"id": "msg_1", "content": [], "usage": START_USAGE})
TEXT = delta(type="text_delta", text="one two three")
STOP_DELTA = {"stop_reason": "end_turn", "stop_sequence": None}
LAST = event("message_delta", delta=STOP_DELTA, usage={"output_tokens": 15})
STOP = event("message_stop")
INPUT = {
    "input_tokens": 1125,
    "cached_tokens": 1000,
    "cache_write_tokens": 100,
    "cache_write_long_tokens": 40,
}


def test_a_message_is_metered_by_its_start_and_its_last_delta():
    watch = fed(meter(MESSAGES), START, event("ping"), TEXT, LAST)
    assert watch.report.usage == Usage(**INPUT, output_tokens=15)
    assert watch.report.provider_request_id == "msg_1"
    assert not watch.ended
    fed(watch, STOP)
    assert watch.ended
    assert watch.error is None


def test_a_delta_without_a_reason_to_stop_is_not_final():
    early = event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 7})
    watch = fed(meter(MESSAGES), START, TEXT, early)
    assert watch.report is None
    assert watch.evidence(model=facts_by_name("claude-opus-4-8")).output_tokens == 7
    fed(watch, LAST)
    assert watch.report.usage.output_tokens == 15


def test_input_that_is_said_only_at_the_end_counts():
    start = event("message_start", message={"id": "m", "usage": {"input_tokens": 0}})
    last = event("message_delta", delta=STOP_DELTA, usage={"input_tokens": 50, "output_tokens": 15})
    assert fed(meter(MESSAGES), start, last).report.usage == Usage(
        input_tokens=50, output_tokens=15
    )


def test_input_that_is_said_only_at_the_start_is_not_lost_to_zeros_and_nulls():
    usage = {"input_tokens": 0, "cache_read_input_tokens": None, "output_tokens": 15}
    last = event("message_delta", delta=STOP_DELTA, usage=usage)
    watch = fed(meter(MESSAGES), START, last)
    assert watch.report.usage == Usage(**INPUT, output_tokens=15)


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "text_delta", "text": "0123456789"},
        {"type": "thinking_delta", "thinking": "0123456789"},
        {"type": "input_json_delta", "partial_json": "0123456789"},
    ],
)
def test_what_a_broken_message_wrote_is_evidence_with_its_input(piece):
    watch = fed(meter(MESSAGES), START, delta(**piece))
    assert watch.report is None
    assert watch.evidence(model=facts_by_name("claude-opus-4-8")) == Usage(**INPUT, output_tokens=3)


def test_an_error_event_is_a_failure():
    watch = fed(meter(MESSAGES), START, event("error", error={"type": "overloaded_error"}))
    assert watch.error
    assert not watch.ended


def response(kind, **fields):
    """An event about the whole response."""
    return event(f"response.{kind}", response={"id": "resp_1", **fields})


CREATED = response("created", instructions="much text", usage=None)
PIECE = event("response.output_text.delta", delta="one two three", obfuscation="xxxxxxxx")
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 12,
}
REPORTED = Usage(input_tokens=9, output_tokens=3, cached_tokens=4, reasoning_tokens=1)


@pytest.mark.parametrize("end", ["completed", "incomplete"])
def test_a_response_is_metered_by_its_last_event(end):
    watch = fed(meter(RESPONSES), CREATED, PIECE)
    assert watch.report is None
    assert not watch.ended
    fed(watch, response(end, usage=USAGE))
    assert watch.report.usage == REPORTED
    assert watch.report.provider_request_id == "resp_1"
    assert watch.ended
    assert watch.error is None


def test_a_failed_response_still_says_its_usage():
    watch = fed(meter(RESPONSES), CREATED, response("failed", usage=USAGE))
    assert watch.error
    assert not watch.ended
    assert watch.report.usage == REPORTED


def test_an_error_event_of_a_response_is_a_failure():
    watch = fed(meter(RESPONSES), event("error", code="server_error", message="no"))
    assert watch.error
    assert watch.report is None


@pytest.mark.parametrize(
    "kind",
    [
        "output_text",
        "reasoning_text",
        "reasoning_summary_text",
        "refusal",
        "function_call_arguments",
        "custom_tool_call_input",
    ],
)
def test_what_a_broken_response_wrote_is_evidence_once(kind):
    watch = fed(
        meter(RESPONSES),
        CREATED,
        event(f"response.{kind}.delta", delta="one two "),
        event(f"response.{kind}.delta", delta="three"),
        event(f"response.{kind}.done", text="one two three", arguments="one two three"),
    )
    assert watch.evidence(model=facts_by_name("gpt-4o")) == Usage(output_tokens=3)


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES], ids=lambda dialect: dialect.path)
@pytest.mark.parametrize(
    "odd", [b": ping\n\n", b"data: {\n\n", b"data: []\n\n", b"\xff\n\n", b"data: \xff\n\n", b"\n\n"]
)
def test_what_is_not_understood_passes_untouched(dialect, odd):
    watch = fed(meter(dialect), odd)
    assert watch.report is None
    assert watch.evidence(model=facts_by_name("m")) is None
    assert not watch.ended
    assert watch.error is None


@pytest.mark.parametrize(
    ("dialect", "events"),
    [(MESSAGES, [START, TEXT, LAST, STOP]), (RESPONSES, [CREATED, PIECE])],
    ids=["messages", "responses"],
)
def test_a_stream_cut_at_any_byte_is_metered_alike(dialect, events):
    expected = fed(meter(dialect), *events)
    stream = b"".join(events)
    for at in range(len(stream) + 1):
        splitter = Splitter()
        watch = fed(meter(dialect), *splitter.feed(stream[:at]), *splitter.feed(stream[at:]))
        assert (watch.report, watch.ended) == (expected.report, expected.ended)
        assert watch.evidence(model=facts_by_name("gpt-4o")) == expected.evidence(
            model=facts_by_name("gpt-4o")
        )


def test_whole_answers_without_usage_are_counted():
    blocks = [
        {"type": "text", "text": "one two three"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "one"}},
    ]
    message = msgspec.json.encode({"id": "m", "content": blocks})
    assert 5 <= MESSAGES.count_output(message, model=facts_by_name("gpt-4o")) <= 15
    text = [{"type": "output_text", "text": "one two three", "annotations": []}]
    answer = msgspec.json.encode({"id": "r", "output": [{"type": "message", "content": text}]})
    assert RESPONSES.count_output(answer, model=facts_by_name("gpt-4o")) == 3


def test_routes_that_do_not_stream_let_everything_by():
    watch = fed(EMBEDDINGS.meter(EMBEDDINGS.parse(b'{"model":"m"}')), b"data: 1\n\n")
    assert watch.report is None
    assert watch.evidence(model=facts_by_name("m")) is None


def test_meters_of_one_dialect_share_nothing():
    first, second = meter(CHAT), meter(CHAT)
    first.feed(b"data: [DONE]\n\n")
    assert first.ended
    assert not second.ended
