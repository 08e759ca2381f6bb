"""What came is known by its bytes: events, a whole answer, an error or a web page."""

import json

import pytest

from tests.gateway import wire
from tests.gateway.provider import ask, http, piece, stream_of, whole

__all__ = ["ask"]
pytestmark = pytest.mark.django_db(transaction=True)
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
LAST = {"choices": [], "usage": USAGE}
DONE = b"data: [DONE]\n\n"
EVENTS = wire.events(piece("ok"), piece(None, "stop"))
MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
PROVIDERS = {MESSAGES: "anthropic", RESPONSES: "openai"}


# ---- events under another type, or none ----------------------------------------------------------

BEGINNINGS = {
    "data": (b"", "text/plain"),
    "JSON by its type": (b"", "application/json"),
    "a file by its type": (b"", "application/octet-stream"),
    "no type": (b"", None),
    "OpenRouter's comments": (b": OPENROUTER PROCESSING\n\n", "text/plain"),
    "a named event": (b"event: ping\ndata: {}\n\n", "application/json"),
    "an id": (b"id: 1\n", "application/json"),
    "a time to retry": (b"retry: 3000\n\n", "text/html"),
    "a byte order mark": (b"\xef\xbb\xbf", "application/json"),
    "blank lines": (b"\r\n\r\n\n", "application/x-ndjson"),
}


@pytest.mark.parametrize(("before", "content_type"), BEGINNINGS.values(), ids=BEGINNINGS)
def test_events_are_a_stream_under_any_content_type(ask, before, content_type):
    events = before + EVENTS
    found = ask(stream_of(events, LAST, DONE, content_type=content_type), stream=True)
    assert found.answer.body == events + DONE
    assert found.answer.headers["content-type"] == "text/event-stream"
    assert found.usage == (20, 5, "provider")


def test_a_message_is_a_stream_under_any_content_type(ask):
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 20}}}
    usage = {"output_tokens": 5}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    response = stream_of(start, end, {"type": "message_stop"}, content_type="application/json")
    found = ask(response, path=MESSAGES, provider="anthropic", stream=True)
    assert found.answer.headers["content-type"] == "text/event-stream"
    assert found.usage == (20, 5, "provider")


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "text/plain"])
def test_a_whole_answer_to_a_request_for_a_stream_is_metered_as_one(ask, content_type):
    body = json.dumps({"choices": [{"message": {"content": "ok"}}], "usage": USAGE}).encode()
    found = ask(http(body, content_type=content_type), stream=True)
    assert found.answer.body == body
    assert found.usage == (20, 5, "provider")


def test_blank_lines_before_a_whole_answer_change_nothing(ask):
    body = b"\n\n\r\n" + json.dumps({"choices": [piece("ok")], "usage": USAGE}).encode()
    found = ask(http(body))
    assert found.answer.body == body
    assert found.usage == (20, 5, "provider")


# ---- an error in a 200 ---------------------------------------------------------------------------

NO = {"message": "Provider returned error", "code": 502}
WHOLE_ERRORS = {
    "OpenRouter": {"error": NO, "user_id": "u"},
    "OpenRouter, in the choice": {
        "id": "gen-1",
        "choices": [
            {"message": {"role": "assistant", "content": ""}, "finish_reason": "error", "error": NO}
        ],
    },
    "LM Studio": {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
    "Ollama": {"error": "model 'm' not found"},
    "Perplexity": {"error": {"message": "Internal error", "type": "internal_error", "code": 500}},
    "GLM": {"code": 500, "msg": "404 NOT_FOUND", "success": False},
    "GLM, nested": {"error": {"code": "1234", "message": "网络错误"}},
    "MiniMax": {"choices": None, "base_resp": {"status_code": 1000, "status_msg": "unknown"}},
    "DashScope": {"code": "InternalError", "message": "An internal error", "request_id": "r"},
    "Qianfan": {"error_code": 336000, "error_msg": "Internal error", "id": "as-1"},
    "vLLM": {"object": "error", "message": "EngineDeadError", "type": "Internal", "code": 500},
    "FastAPI": {"detail": "Not Found"},
    "Cloudflare": {"success": False, "errors": [{"code": 7000, "message": "No route"}]},
    "Gemini": [{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}],
    "with a usage of zeros": {"error": NO, "usage": {"prompt_tokens": 0, "completion_tokens": 0}},
    "an object of something else": {"status": "ok"},
}


@pytest.mark.parametrize("error", WHOLE_ERRORS.values(), ids=WHOLE_ERRORS)
def test_an_error_instead_of_an_answer_is_passed_on_and_not_charged(ask, error):
    found = ask(http(json.dumps(error).encode()))
    assert (found.answer.status, found.answer.json) == (200, error)
    assert (found.charge.status, found.charge.tokens) == ("released", 0)
    assert found.answer.headers["x-butler-cost"] == "0.000000000"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}),
        (MESSAGES, {"error": {"code": 500, "message": "no"}}),
        (RESPONSES, {"id": "r", "status": "failed", "error": NO, "output": [], "usage": None}),
        (RESPONSES, {"id": "r", "status": "cancelled", "error": None, "output": []}),
        (RESPONSES, {"error": "no"}),
        ("/v1/completions", {"error": NO}),
        ("/v1/completions", {"id": "c", "choices": [], "error": NO}),
        ("/v1/embeddings", {"error": NO}),
        ("/v1/embeddings", {"object": "list", "data": [], "error": NO}),
    ],
)
def test_an_error_on_other_routes_is_not_charged_either(ask, path, error):
    found = ask(whole(**error), path=path, provider=PROVIDERS.get(path, "openai"))
    assert (found.answer.status, found.answer.json) == (200, error)
    assert found.charge.status == "released"


STREAMED_ERRORS = {
    "chat": ("/v1/chat/completions", [{"error": NO}]),
    "chat, with an end": ("/v1/chat/completions", [{"error": NO}, DONE]),
    "chat, named": ("/v1/chat/completions", [b'event: error\ndata: {"error":"no"}\n\n']),
    "chat, as text": ("/v1/chat/completions", [b"event: error\ndata: overloaded\n\n"]),
    "vLLM": ("/v1/chat/completions", [{"object": "error", "message": "no", "code": 500}, DONE]),
    "MiniMax": (
        "/v1/chat/completions",
        [{"choices": None, "base_resp": {"status_code": 1000, "status_msg": "no"}}],
    ),
    "OpenRouter": (
        "/v1/chat/completions",
        [b": OPENROUTER PROCESSING\n\n", {"error": NO, **piece("", "error")}, DONE],
    ),
    "chat, after the role": ("/v1/chat/completions", [piece(""), {"error": NO}]),
    "messages": (MESSAGES, [{"type": "error", "error": {"type": "overloaded_error"}}]),
    "messages, without a type": (MESSAGES, [{"error": {"message": "no"}}]),
    "responses": (
        RESPONSES,
        [
            {"type": "response.created", "response": {"id": "r", "usage": None}},
            {"type": "response.failed", "response": {"id": "r", "error": NO, "usage": None}},
        ],
    ),
    "responses, an error event": (
        RESPONSES,
        [{"type": "response.created", "response": {"id": "r"}}, {"type": "error", "message": "no"}],
    ),
}


@pytest.mark.parametrize(("path", "events"), STREAMED_ERRORS.values(), ids=STREAMED_ERRORS)
def test_a_stream_that_fails_before_any_content_is_passed_on_and_not_charged(ask, path, events):
    response = stream_of(*events)
    found = ask(response, path=path, provider=PROVIDERS.get(path, "openai"), stream=True)
    assert found.answer.body == response.partition(b"\r\n\r\n")[2]
    assert (found.charge.status, found.charge.tokens) == ("released", 0)


def test_a_failed_stream_is_charged_for_the_input_that_the_provider_reported(ask):
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 21}}}
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    found = ask(stream_of(start, error), path=MESSAGES, provider="anthropic", stream=True)
    assert found.usage == (21, 0, "estimated")


def test_a_failed_response_is_charged_for_the_usage_that_it_reports(ask):
    usage = {"input_tokens": 21, "output_tokens": 0, "total_tokens": 21}
    failed = {"id": "r", "status": "failed", "error": NO, "output": [], "usage": usage}
    assert ask(whole(**failed), path=RESPONSES).usage == (21, 0, "provider")


def test_what_was_written_before_the_error_is_charged(ask):
    found = ask(stream_of(piece("one two three"), {"error": NO}), stream=True)
    assert found.usage[1:] == (3, "estimated")
    assert 0 < found.charge.input_tokens < 20


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        {"message": "Rate limit exceeded", "code": 429},
        {"message": "Rate limit reached", "type": "rate_limit_error"},
        {"message": "slow down", "code": "rate_limit_exceeded"},
        "Rate limit exceeded, please slow down",
        {"status_code": 1002, "status_msg": "rate limit"},
        {"error_code": 17, "error_msg": "Open api daily request limit reached"},
    ],
)
def test_a_rate_limit_in_an_answer_cools_the_only_key_and_the_client_is_told(ask, stream, error):
    response = stream_of({"error": error}) if stream else whole(error=error)
    found = ask(response, stream=stream)
    assert (found.answer.status, found.answer.code) == (429, "rate_limited")
    assert "The provider answered 429: " in found.answer.json["error"]["message"]
    assert (found.charge.status, found.key.status) == ("released", "cooling")


def test_an_overload_in_an_answer_leaves_the_key_alone(ask):
    found = ask(whole(error={"message": "Overloaded", "code": 503}))
    assert (found.charge.status, found.key.status) == ("released", "active")
