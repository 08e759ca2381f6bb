"""What is no answer, and odd statuses and headers: the client always gets something to read."""

import json

import pytest

from tests.gateway.provider import ask, http, piece

__all__ = ["ask"]
pytestmark = pytest.mark.django_db(transaction=True)
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
PROVIDERS = {MESSAGES: "anthropic", RESPONSES: "openai"}


PAGES = {
    "a page": (b"<!doctype html><title>LiteLLM</title>", "text/html"),
    "a page that says it is JSON": (b"<html></html>", "application/json"),
    "a page after blank lines": (b"\n\n  <HTML></HTML>", "text/html"),
    "nginx's text": (b"Welcome to nginx!", "text/plain"),
    "a health check": (b"OK", "text/plain"),
    "XML": (b"<?xml version='1.0'?><Error/>", "application/xml"),
    "a number": (b"42", "application/json"),
    "null": (b"null", "application/json"),
    "nothing": (b"", "application/json"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("body", "content_type"), PAGES.values(), ids=PAGES)
def test_a_web_page_is_no_answer(ask, body, content_type, stream):
    found = ask(http(body, content_type=content_type), stream=stream)
    assert (found.answer.status, found.answer.code) == (502, "unusable_answer")
    assert "nvidia" in found.answer.json["error"]["message"]
    assert (found.charge.status, found.charge.tokens) == ("released", 0)


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES, "/v1/embeddings"])
def test_a_web_page_is_no_answer_on_other_routes(ask, path):
    response = http(b"<html></html>", content_type="text/html")
    found = ask(response, path=path, provider=PROVIDERS.get(path, "openai"))
    assert (found.answer.status, found.answer.code) == (502, "unusable_answer")
    assert found.charge.status == "released"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_says_that_the_address_of_the_key_is_wrong(ask, status):
    found = ask(http(b"", status=status, headers=["location: https://secret.example/v1"]))
    assert (found.answer.status, found.answer.code) == (502, "unusable_answer")
    message = found.answer.json["error"]["message"]
    assert f"status {status}" in message
    assert "base URL of API key key-1" in message
    assert "secret.example" not in message
    assert (found.charge.status, found.key.status) == ("released", "active")


@pytest.mark.parametrize("status", [201, 203, 206, 226, 299])
def test_an_answer_with_any_status_of_success_is_metered(ask, status):
    body = json.dumps({"choices": [piece("ok")], "usage": USAGE}).encode()
    found = ask(http(body, status=status))
    assert (found.answer.status, found.answer.body) == (status, body)
    assert found.usage == (20, 5, "provider")


@pytest.mark.parametrize(
    ("status", "seen"),
    [(418, 418), (451, 451), (499, 499), (520, 520), (529, 529), (599, 599)]
    + [(600, 502), (777, 502), (999, 502)],
)
def test_any_status_of_an_error_gets_an_answer(ask, status, seen):
    found = ask(http(b'{"error":{"message":"odd"}}', status=status))
    assert (found.answer.status, found.answer.json["error"]["message"]) == (seen, "odd")
    assert found.charge.status == "released"


@pytest.mark.parametrize("status", [101, 204, 205])
def test_a_status_without_a_body_is_no_answer(ask, status):
    found = ask(http(b"", status=status))
    assert found.answer.status == 502
    assert found.charge.status == "released"


@pytest.mark.parametrize("size", [9_000, 60_000, 500_000])
def test_long_headers_lose_no_answer(ask, size):
    body = json.dumps({"choices": [piece("ok")], "usage": USAGE}).encode()
    headers = [f"content-security-policy: {'a' * size}", f"x-b: {'b' * size}"]
    found = ask(http(body, headers=headers))
    assert found.answer.body == body
    assert found.usage == (20, 5, "provider")


def test_many_headers_lose_no_answer(ask):
    body = json.dumps({"choices": [piece("ok")], "usage": USAGE}).encode()
    found = ask(http(body, headers=[f"x-{number}: x" for number in range(400)]))
    assert found.usage == (20, 5, "provider")


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500])
def test_an_error_of_the_provider_keeps_its_words(ask, status):
    found = ask(http(b'{"error":{"message":"a sentence of its own"}}', status=status))
    assert found.answer.json == {"error": {"message": "a sentence of its own"}}
