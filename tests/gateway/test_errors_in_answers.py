"""An error in an answer of status 200 is compared on a second key while the client has nothing.

In the words of OpenAI, OpenRouter, Anthropic, Moonshot, DeepSeek, MiniMax, Google and Mistral.
"""

import json

import pytest

from keys.models import Charge
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.pool import POISON, POOL, gateway, kinds, provider, statuses
from tests.gateway.server import gateway_on, lend, supply

__all__ = ["gateway", "provider"]
pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = {"content-type": "text/event-stream"}
# Errors, and what becomes of the key.
ERRORS = {
    "OpenAI": ({"error": {"message": "no", "code": "rate_limit_exceeded"}}, "cooling"),
    "OpenRouter": ({"error": {"message": "Rate limit exceeded", "code": 429}}, "cooling"),
    "OpenRouter, its key": (
        {"error": {"message": "No auth credentials found", "code": 401}},
        "broken",
    ),
    "OpenAI, its key": ({"error": {"message": "no", "code": "invalid_api_key"}}, "broken"),
    "DeepSeek": ({"error": {"message": "Insufficient Balance", "code": 402}}, "cooling"),
    "Moonshot": ({"error": {"message": "no", "type": "exceeded_current_quota_error"}}, "cooling"),
    "Google": (
        {"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}},
        "cooling",
    ),
    "Mistral": ({"error": {"code": 401, "message": "Unauthorized"}}, "suspended"),
    "a choice": ({"choices": [{"finish_reason": "error", "error": {"code": 429}}]}, "cooling"),
}
each_error = pytest.mark.parametrize("case", list(ERRORS))
each_form = pytest.mark.parametrize("stream", [False, True])


def refuse(provider, said, *, stream: bool, before: bytes = b"", **options):
    """Answer with an error and status 200."""
    if stream:
        said = (before + wire.events(said) + b"data: [DONE]\n\n").decode()
    provider.refuse(200, said, headers=EVENTS if stream else {}, **options)


@each_form
@each_error
def test_another_key_answers_and_the_refused_one_is_blamed(gateway, provider, case, stream):
    said, becomes = ERRORS[case]
    refuse(provider, said, stream=stream, keys=("key-1",))
    answer = lend(gateway.url).call(stream=stream)
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    assert b"error" not in answer.body
    assert statuses() == {**dict.fromkeys(POOL, "active"), "key-1": becomes}
    assert [c.status for c in Charge.objects.order_by("pk")] == ["released", "settled"]
    assert_books_balance()


@each_form
@each_error
def test_the_same_error_on_two_keys_is_the_requests(gateway, provider, case, stream):
    said, _ = ERRORS[case]
    refuse(provider, said, stream=stream, when=POISON)
    session = lend(gateway.url)
    answer = session.call(POISON, stream=stream)
    assert answer.status == 200
    assert json.dumps(said).encode() in answer.body
    assert set(statuses().values()) == {"active"}
    assert kinds() == ["request_refused"]
    assert {charge.status for charge in Charge.objects.all()} == {"released"}
    assert session.call().status == 200
    assert_books_balance()


@pytest.mark.parametrize(
    "before",
    [
        b": OPENROUTER PROCESSING\n\n",
        b": ping\n\n: ping\n\n",
        b"\xef\xbb\xbf",
        b"event: ping\ndata: {}\n\n",
        b"retry: 3000\n\n",
    ],
)
def test_what_comes_before_an_error_is_not_an_answer(gateway, provider, before):
    said, _ = ERRORS["OpenRouter"]
    refuse(provider, said, stream=True, before=before, keys=("key-1",))
    answer = lend(gateway.url).call(stream=True)
    assert (answer.headers["x-butler-key-id"], statuses()["key-1"]) == ("key-2", "cooling")
    assert before not in answer.body


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "insufficient_quota"])
def test_a_response_that_fails_before_it_is_written_is_made_on_another_key(gateway, provider, code):
    response = {"id": "r", "status": "failed", "error": {"code": code, "message": "no"}}
    created = {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}
    events = wire.events(
        created,
        created | {"type": "response.in_progress"},
        {"type": "response.failed", "response": response},
    )
    provider.refuse(200, events.decode(), keys=("key-1",), headers=EVENTS)
    session = lend(gateway.url)
    body = json.dumps({"model": "any", "input": "hi", "stream": True, "max_output_tokens": 40})
    way = session.open(body.encode(), path="/v1/responses")
    with way.getresponse() as answer:
        assert answer.getheader("x-butler-key-id") == "key-2"
    assert statuses()["key-1"] == "cooling"
    assert_books_balance()


def test_a_message_that_is_refused_is_made_on_another_key(sandbox, settings, provider):
    supply("key-1", "key-2", base_url=provider.base_url, provider="anthropic")
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "no"}}
    provider.refuse(200, wire.events(error).decode(), keys=("key-1",), headers=EVENTS)
    with gateway_on(sandbox, settings) as running:
        answer = lend(running.url, wire_format="anthropic").call(stream=True)
    assert answer.headers["x-butler-key-id"] == "key-2"
    assert statuses()["key-1"] == "cooling"


@pytest.mark.parametrize("field", ["content", "reasoning", "reasoning_content", "refusal"])
def test_once_an_answer_has_begun_an_error_is_passed_on_and_blames_the_key(
    gateway, provider, field
):
    said, _ = ERRORS["OpenRouter"]
    events = wire.events({"choices": [{"index": 0, "delta": {field: "Hello"}}]}, said)
    provider.refuse(200, events.decode(), headers=EVENTS)
    answer = lend(gateway.url).call(stream=True)
    assert (answer.status, answer.body) == (200, events)
    assert len(provider.calls()) == 1
    assert statuses() == {**dict.fromkeys(POOL, "active"), "key-1": "cooling"}


@each_form
@pytest.mark.parametrize("usage", [{"prompt_tokens": 20}, {"input_tokens": 20}])
def test_an_error_that_was_paid_for_is_not_tried_again(gateway, provider, usage, stream):
    said = {"error": {"message": "no", "code": 429}, "usage": usage}
    refuse(provider, said, stream=stream)
    answer = lend(gateway.url).call(stream=stream)
    assert (answer.status, len(provider.calls())) == (200, 1)
    assert Charge.objects.get().input_tokens == 20
    assert statuses()["key-1"] == "cooling"
    assert_books_balance()


@each_form
@pytest.mark.parametrize("code", [400, 500, 503, 529, "content_filter", "overloaded_error"])
def test_an_error_that_is_not_the_keys_is_passed_on(gateway, provider, code, stream):
    refuse(provider, {"error": {"message": "no", "code": code}}, stream=stream)
    answer = lend(gateway.url).call(stream=stream)
    assert (answer.status, len(provider.calls())) == (200, 1)
    assert set(statuses().values()) == {"active"}
    assert Charge.objects.get().status == "released"
