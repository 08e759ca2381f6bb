"""The sandbox provider answers as it was asked to, in every wire format, and bills what it says."""

import json

import msgspec
import pytest

from gateway.bounds import chat_input_max, messages_input_max, responses_input_max, text_tokens_max
from keys.supply.model_facts import facts_by_name
from tests.gateway.sandbox import (
    CHAT,
    MESSAGES,
    RESPONSES,
    SPEAKING,
    call,
    opened,
    request,
    said,
    streamed,
)

BOUNDS = {CHAT: chat_input_max, RESPONSES: responses_input_max, MESSAGES: messages_input_max}
KINDS = ("input", "cached", "cache_write", "cache_write_1h", "output", "reasoning")


def billed(sandbox):
    """Tokens of the only call by kind, without those that are 0."""
    (row,) = sandbox.log()
    return {kind: row[kind] for kind in KINDS if row[kind]}


def test_it_says_as_many_words_as_asked_for(sandbox):
    _, answer = call(sandbox, CHAT, "[[sandbox output=200]]")
    assert len(said(CHAT, answer).split()) == 200


def test_its_words_are_as_many_tokens_to_a_public_tokenizer(sandbox):
    _, answer = call(sandbox, CHAT, "[[sandbox output=200]]")
    for start in range(0, 200, 50):
        words = said(CHAT, answer).split()[start:]
        assert text_tokens_max(" ".join(words), model=facts_by_name("gpt-4o")) == 200 - start


@pytest.mark.parametrize("text", ["a", "Many plain words " * 400, "\ta\n\nb  c " * 90, "x" * 999])
@pytest.mark.parametrize("route", SPEAKING)
def test_its_input_is_never_above_an_honest_bound(sandbox, route, text):
    body = request(route, text, model="gpt-4o")
    opened(sandbox, route, body).read()
    fields = msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw])
    assert 0 < sandbox.log()[0]["input"] <= BOUNDS[route](fields, model=facts_by_name("gpt-4o"))


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


@pytest.mark.parametrize("route", SPEAKING)
def test_nobody_is_answered_without_a_credential(sandbox, route):
    with opened(sandbox, route, request(route, "Hello"), key="") as answer:
        assert answer.status == 401
        error = json.load(answer)["error"]
    assert error["type"] == (
        "authentication_error" if route == MESSAGES else "invalid_request_error"
    )


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
