"""Usage is read wherever a provider puts it, merged count by count, and never lowered."""

from pathlib import Path

import msgspec
import pytest

from gateway import dialects
from gateway.dialects import CHAT, MESSAGES, RESPONSES, Splitter
from keys.services import Usage
from keys.supply.model_facts import facts_by_name

STREAMS = sorted((Path(__file__).parent / "golden" / "streams").glob("*.txt"))


def event(data, name=""):
    """One event of a stream."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(data) + b"\n\n"


def meter_of(dialect, *events, **fields):
    """A meter that was fed with these events."""
    request = {"model": "m", "stream": True, "max_tokens": 99, **fields}
    meter = dialect.meter(dialect.parse(msgspec.json.encode(request)))
    for each in events:
        meter.feed(each if isinstance(each, bytes) else event(each))
    return meter


def chunk(content="", finish_reason=None, usage=None, **fields):
    """A chunk of a chat completion; `usage` is inside its choice."""
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    if usage is not None:
        choice["usage"] = usage
    return {"id": "c-1", "choices": [choice], **fields}


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_golden_stream_is_read_as_expected(path):
    head, _, stream = path.read_bytes().partition(b"\n\n")
    golden = msgspec.json.decode(head)
    splitter, dialect = Splitter(), getattr(dialects, golden["dialect"].upper())
    meter = meter_of(dialect, *splitter.feed(stream))
    assert splitter.rest() == b""
    assert meter.report.usage == Usage(**golden["expected"])
    meter.report.usage.check()
    assert meter.error is None
    assert meter.ended or meter.finished


def test_every_provider_has_a_golden_stream():
    assert len(STREAMS) >= 10


SAID = {"prompt_tokens": 19, "completion_tokens": 21, "total_tokens": 40}
READ = Usage(input_tokens=19, output_tokens=21)
DONE = b"data: [DONE]\n\n"
GEMINI = {"promptTokenCount": 19, "candidatesTokenCount": 21, "totalTokenCount": 40}
PLACES = {
    "OpenAI": [chunk("hi", "stop"), {"choices": [], "usage": SAID}],
    "Moonshot": [chunk("hi"), chunk("", "stop", usage=SAID)],
    "Groq": [chunk("hi", "stop", x_groq={"id": "r", "usage": SAID})],
    "with the last choice": [chunk("hi"), chunk("", "stop") | {"usage": SAID}],
    "after the finish, with choices": [chunk("hi", "stop"), chunk() | {"usage": SAID}],
    "without choices": [chunk("hi", "stop"), {"usage": SAID}],
    "in the last delta": [
        chunk("hi"),
        {"id": "c-1", "choices": [{"index": 0, "delta": {"usage": SAID}, "finish_reason": "stop"}]},
    ],
    "before a last choice without it": [chunk("hi") | {"usage": SAID}, chunk("", "eos")],
    "null until the end": [
        chunk("hi") | {"usage": None},
        chunk("", "stop") | {"usage": None},
        {"choices": None, "usage": SAID},
    ],
    "without an index": [
        {"choices": [{"index": None, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
        {"id": "c-1", "choices": [], "usage": SAID},
    ],
    "in the first chunk": [chunk("hi") | {"usage": SAID}, chunk("", "stop")],
    "in its own words, Gemini": [chunk("hi", "stop", usageMetadata=GEMINI)],
    "in its own words, Ollama": [chunk("hi", "stop", prompt_eval_count=19, eval_count=21)],
    "in its own words, Cohere": [
        chunk("hi", "stop", meta={"billed_units": {"input_tokens": 19, "output_tokens": 21}})
    ],
    "in its own words, Bedrock": [
        chunk("hi", "stop"),
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 19, "outputTokenCount": 21}},
    ],
}


@pytest.mark.parametrize("events", PLACES.values(), ids=PLACES)
def test_the_usage_of_a_chat_is_read_in_any_place(events):
    meter = meter_of(CHAT, *events, DONE)
    assert meter.report.usage == READ
    assert meter.report.provider_request_id == "c-1"


WHOLE_PLACES = {
    "OpenAI": {"usage": SAID},
    "Moonshot": {"choices": [{"message": {"content": "hi"}, "usage": SAID}]},
    "Gemini": {"usageMetadata": GEMINI},
    "Ollama": {"prompt_eval_count": 19, "eval_count": 21},
    "Bedrock": {"usage": {"inputTokens": 19, "outputTokens": 21, "totalTokens": 40}},
    "Cohere": {"usage": {"billed_units": {"input_tokens": 19, "output_tokens": 21}}},
    "Vercel": {
        "usage": {"promptTokens": 19, "completionTokens": 21, "totalTokens": 40},
    },
    "in the message": {"choices": [{"message": {"content": "hi", "usage": SAID}}]},
    "in a message around it": {"message": {"content": "hi", "usage": SAID}},
    "in Cloudflare's result": {"result": {"response": "hi", "usage": SAID}, "success": True},
    "beside Cohere's billed units": {
        "usage": None,
        "meta": {"tokens": {"input_tokens": 19, "output_tokens": 21}},
    },
    "with a total of zero": {"usage": {**SAID, "total_tokens": 0}},
    "with a total that is too small": {"usage": {**SAID, "total_tokens": 21}},
    "an empty usage first": {"usage": {}, "usage_metadata": GEMINI},
}


@pytest.mark.parametrize("answer", WHOLE_PLACES.values(), ids=WHOLE_PLACES)
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=lambda dialect: dialect.path)
def test_the_usage_of_a_whole_answer_is_read_in_any_place(dialect, answer):
    assert dialect.usage_report(msgspec.json.encode({"id": "a", **answer})).usage == READ


def test_gemini_s_thoughts_and_cached_tokens_are_read_in_its_own_words():
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 15,
        "totalTokenCount": 135,
    }
    report = CHAT.usage_report(msgspec.json.encode({"usageMetadata": usage}))
    assert report.usage == Usage(
        input_tokens=100, output_tokens=35, cached_tokens=60, reasoning_tokens=15
    )


DETAILS = {"prompt_tokens_details": {"cached_tokens": 12}}
CACHED = Usage(input_tokens=19, output_tokens=21, cached_tokens=12)
CACHED_NAMES = {
    "Moonshot": {"cached_tokens": 12},
    "DeepSeek": {"prompt_cache_hit_tokens": 12, "prompt_cache_miss_tokens": 7},
    "DeepSeek, with zero in OpenAI's place": {
        "prompt_cache_hit_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
    "zero in Moonshot's place": {"cached_tokens": 0, **DETAILS},
    "LiteLLM": {"cache_read_input_tokens": 12, "cache_creation_input_tokens": 0},
    "oMLX": {"num_cached_tokens": 12},
    "null in one place": {"cached_tokens": None, **DETAILS},
}


@pytest.mark.parametrize("names", CACHED_NAMES.values(), ids=CACHED_NAMES)
def test_cached_tokens_are_read_under_any_name(names):
    assert CHAT.usage_report(msgspec.json.encode({"usage": {**SAID, **names}})).usage == CACHED


def test_cache_writes_of_routers_to_claude_are_read_beside_the_details():
    usage = {**SAID, "cache_read_input_tokens": 9, "cache_creation_input_tokens": 4}
    assert CHAT.usage_report(msgspec.json.encode({"usage": usage})).usage == Usage(
        input_tokens=19, output_tokens=21, cached_tokens=9, cache_write_tokens=4
    )


def test_what_bedrock_reads_from_the_cache_and_writes_to_it_is_not_in_its_input():
    usage = {"inputTokens": 19, "outputTokens": 21, "totalTokens": 57}
    cache = {"cacheReadInputTokens": 12, "cacheWriteInputTokens": 5}
    assert CHAT.usage_report(msgspec.json.encode({"usage": usage | cache})).usage == Usage(
        input_tokens=36, output_tokens=21, cached_tokens=12, cache_write_tokens=5
    )


# ---- merged, never lowered -----------------------------------------------------------------------

UPDATES = {
    "zeros at the end": [SAID, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}],
    "only the output at the end": [{**SAID, "completion_tokens": 3}, {"completion_tokens": 21}],
    "only the input at the end": [{"completion_tokens": 21}, {"prompt_tokens": 19}],
    "nulls at the end": [SAID, {"prompt_tokens": None, "completion_tokens": None}],
    "smaller at the end": [SAID, {"prompt_tokens": 18, "completion_tokens": 20}],
    "nonsense at the end": [SAID, {"prompt_tokens": -1, "completion_tokens": "x"}],
    "growing": [
        {"prompt_tokens": 19, "completion_tokens": count, "total_tokens": 19 + count}
        for count in (1, 7, 21)
    ],
}


@pytest.mark.parametrize("updates", UPDATES.values(), ids=UPDATES)
def test_a_later_usage_never_lowers_an_earlier_one(updates):
    chunks = [chunk("hi", "stop"), *({"choices": [], "usage": usage} for usage in updates)]
    assert meter_of(CHAT, *chunks, DONE).report.usage == READ


@pytest.mark.parametrize(
    "updates",
    [
        [{**SAID, **DETAILS}, SAID],
        [SAID, {**SAID, **DETAILS}],
        [{**SAID, **DETAILS}, {**SAID, "prompt_tokens_details": {"cached_tokens": 0}}],
        [{**SAID, **DETAILS}, {**SAID, "prompt_tokens_details": None}],
        [{**SAID, **DETAILS}, {**SAID, "prompt_tokens_details": {"audio_tokens": 0}}],
    ],
)
def test_a_part_that_was_reported_once_stays(updates):
    chunks = [chunk("hi", "stop"), *({"choices": [], "usage": usage} for usage in updates)]
    assert meter_of(CHAT, *chunks, DONE).report.usage == CACHED


def test_the_usage_of_a_response_is_merged_over_its_events():
    early = {"input_tokens": 19, "input_tokens_details": {"cached_tokens": 12}, "output_tokens": 1}
    late = {"input_tokens": 0, "output_tokens": 21, "total_tokens": 21}
    meter = meter_of(
        RESPONSES,
        {"type": "response.in_progress", "response": {"id": "r", "usage": early}},
        {"type": "response.completed", "response": {"id": "r", "usage": late}},
    )
    assert meter.report.usage == CACHED


def test_the_usage_of_a_response_can_be_beside_it():
    usage = {"input_tokens": 19, "output_tokens": 21}
    meter = meter_of(RESPONSES, {"type": "response.completed", "response": {}, "usage": usage})
    assert meter.report.usage == READ


SPLIT = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 11_350}
ZEROS = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
WRITES = {"input_tokens": 4, "cache_creation_input_tokens": 11_350}
SPLITS = {
    "in the start": ({"cache_creation": SPLIT}, {}),
    "in the delta": ({}, {"cache_creation": SPLIT}),
    "in both": ({"cache_creation": SPLIT}, {"cache_creation": SPLIT}),
    "zeros after it": ({"cache_creation": SPLIT}, {"cache_creation": ZEROS}),
    "zeros before it": ({"cache_creation": ZEROS}, {"cache_creation": SPLIT}),
    "null after it": ({"cache_creation": SPLIT}, {"cache_creation": None}),
    "nothing in it": ({"cache_creation": SPLIT}, {"cache_creation": {}}),
    "all zeros after it": (
        {"cache_creation": SPLIT},
        {"cache_creation": ZEROS, "cache_creation_input_tokens": 0, "input_tokens": 0},
    ),
}


@pytest.mark.parametrize(("start", "delta"), SPLITS.values(), ids=SPLITS)
def test_cache_writes_of_an_hour_are_not_lost_over_a_stream(start, delta):
    meter = meter_of(
        MESSAGES,
        {"type": "message_start", "message": {"usage": {**WRITES, "output_tokens": 1, **start}}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 50, **delta},
        },
    )
    assert meter.report.usage == Usage(
        input_tokens=11_354,
        output_tokens=50,
        cache_write_tokens=11_350,
        cache_write_long_tokens=11_350,
    )


def test_a_message_that_stops_without_a_reason_is_known_by_its_end():
    meter = meter_of(
        MESSAGES,
        {"type": "message_start", "message": {"usage": {"input_tokens": 19, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 21}},
        {"type": "message_stop"},
    )
    assert meter.report.usage == READ


def test_the_cache_that_is_reported_only_at_the_end_counts():
    """As DashScope's Anthropic endpoint does."""
    zeros = {"input_tokens": 0, "output_tokens": 0}
    late = {"input_tokens": 7, "cache_read_input_tokens": 12, "output_tokens": 21}
    meter = meter_of(
        MESSAGES,
        {"type": "message_start", "message": {"usage": zeros}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": late},
    )
    assert meter.report.usage == CACHED


def test_a_response_can_be_done_in_the_words_of_realtime():
    usage = {"input_tokens": 19, "output_tokens": 21}
    meter = meter_of(RESPONSES, {"type": "response.done", "response": {"usage": usage}})
    assert (meter.ended, meter.report.usage) == (True, READ)


# ---- odd numbers, and usage that says only a part ------------------------------------------------


@pytest.mark.parametrize("twelve", ["12", "12.0", "12.000", "1.2e1", "120e-1"])
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, MESSAGES], ids=lambda each: each.path)
def test_a_whole_number_is_believed_however_it_is_written(dialect, twelve):
    usage = f'{{"input_tokens":{twelve},"output_tokens":{twelve}}}'
    report = dialect.usage_report(f'{{"id":"a","usage":{usage}}}'.encode())
    assert report.usage == Usage(input_tokens=12, output_tokens=12)


@pytest.mark.parametrize("odd", ["12.5", "-12.0", "1e99", "-0.5", '"12"', "null", "true", "1e-9"])
def test_what_is_not_a_whole_number_is_not_believed(odd):
    usage = f'{{"prompt_tokens":{odd},"completion_tokens":{odd}}}'
    assert CHAT.usage_report(f'{{"id":"a","usage":{usage}}}'.encode()) is None
    assert CHAT.partial_usage(f'{{"id":"a","usage":{usage}}}'.encode()) is None


@pytest.mark.parametrize(
    ("dialect", "usage", "expected"),
    [
        (CHAT, {"completion_tokens": 25}, Usage(output_tokens=25)),
        (CHAT, {"prompt_tokens": 25}, Usage(input_tokens=25)),
        (CHAT, {"completion_tokens": 25, "prompt_tokens": "x"}, Usage(output_tokens=25)),
        (RESPONSES, {"output_tokens": 25}, Usage(output_tokens=25)),
        (MESSAGES, {"output_tokens": 25}, Usage(output_tokens=25)),
        (MESSAGES, {"input_tokens": 25}, Usage(input_tokens=25)),
    ],
)
def test_a_usage_that_says_only_a_part_is_believed_in_it(dialect, usage, expected):
    body = msgspec.json.encode({"id": "a", "usage": usage})
    assert dialect.usage_report(body) is None
    assert dialect.partial_usage(body) == expected


def test_the_input_follows_from_the_total():
    body = b'{"usage":{"completion_tokens":25,"total_tokens":45}}'
    assert CHAT.usage_report(body).usage == Usage(input_tokens=20, output_tokens=25)


def test_a_part_in_a_stream_is_believed_once_the_answer_is_finished():
    usage = {"choices": [], "usage": {"completion_tokens": 25}}
    meter = meter_of(CHAT, chunk("one two three"), usage)
    assert meter.evidence(model=facts_by_name("gpt-4o")) == Usage(output_tokens=25)
    meter = meter_of(CHAT, chunk("one two three", "stop"), {"usage": {"completion_tokens": 2}})
    assert meter.report is None
    assert meter.evidence(model=facts_by_name("gpt-4o")) == Usage(output_tokens=2)
