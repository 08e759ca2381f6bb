"""What the test of an API key says: in words that name what is wrong."""

import asyncio
import json
from http.server import BaseHTTPRequestHandler

import pytest

from gateway import key_probe
from gateway.key_probe import Verdict
from gateway.key_probe_words import Answer
from keys.supply.queries.upstreams import Upstream
from tests.http_server import QuietHandler, serving

LIST = {"data": [{"id": "gpt-4.1"}, {"id": "gpt-4.1-mini-2025-04-14"}]}


def upstream(base_url="https://api.example.com/v1", *, model="gpt-4.1", provider="acme"):
    """A key."""
    return Upstream("key-1", "1", provider, model, base_url, ("openai",), "sk-hidden-1234567890")


def verdict(status, body="", *, model="gpt-4.1", **headers):
    """What the answer means."""
    content = body if isinstance(body, str) else json.dumps(body)
    probe = key_probe._judge(Answer(status, headers, content.encode()), upstream(model=model))
    return probe.verdict, probe.text


@pytest.mark.parametrize(
    ("status", "body", "expected", "said"),
    [
        (200, LIST, Verdict.ACCEPTED, "The provider accepts the key."),
        (200, [{"id": "gpt-4.1"}], Verdict.ACCEPTED, "The provider accepts the key."),
        (200, "<!doctype html>", Verdict.UNDECIDED, "Check the base URL https://api.example.com"),
        (200, "", Verdict.UNDECIDED, "answered with no JSON"),
        (301, "", Verdict.UNDECIDED, "answered 301. Check the base URL"),
        (404, "<html>", Verdict.UNKNOWN, "answered 404"),
        (404, {"detail": "Not Found"}, Verdict.UNKNOWN, "Check the base URL"),
        (401, {"error": {"code": "invalid_api_key"}}, Verdict.REJECTED, "rejects the key"),
        (402, {"error": {"message": "Pay"}}, Verdict.UNDECIDED, "The account has no credit."),
        (
            429,
            {"error": {"code": "insufficient_quota", "message": "You exceeded your quota."}},
            Verdict.UNDECIDED,
            "The account has no credit.",
        ),
        (429, {"error": {"message": "Slow down."}}, Verdict.UNDECIDED, "answered 429: Slow down."),
        (503, "", Verdict.UNDECIDED, "answered 503"),
    ],
)
def test_an_answer_is_said_in_words(status, body, expected, said):
    found, text = verdict(status, body)
    assert (found, said in text) == (expected, True), text


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("gpt-4.1", LIST, ""),
        ("GPT-4.1", LIST, ""),
        ("gpt-4.1-mini", LIST, ""),
        ("gpt-4.1-mini-latest", LIST, ""),
        ("gpt-4.1", {**LIST, "has_more": True}, ""),
        ("gpt-9", {**LIST, "has_more": True}, ""),
        ("gpt-9", {"object": "list"}, ""),
        ("gpt-9", {"data": []}, ""),
        ("gemini-2", {"data": [{"id": "models/gemini-2"}]}, ""),
        ("gtp-4.1", LIST, "does not have gtp-4.1. Did you mean gpt-4.1?"),
        ("o9", LIST, "does not have o9."),
        ("gpt-4.1", [{"id": 7}, {"name": "x"}, "y", {"id": "z"}], "does not have gpt-4.1."),
    ],
)
def test_a_model_that_is_not_listed_is_said(model, body, said):
    found, text = verdict(200, body, model=model)
    assert found is Verdict.ACCEPTED
    assert text.endswith(said or "accepts the key.")


class _Provider(QuietHandler):
    """Lists models at /open to everybody, at /v1 to who has a key; /slow answers too late."""

    def do_GET(self: BaseHTTPRequestHandler) -> None:
        if self.path.startswith("/slow"):
            self.rfile.read(1)
            return
        known = self.path.startswith("/open") or "sk-" in self.headers.get("authorization", "")
        body = json.dumps(LIST if known else {"error": {"code": "invalid_api_key"}}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def asked(base_url, **changes):
    """What a probe of this address says."""
    [probe] = asyncio.run(key_probe._ask_all([upstream(base_url, **changes)]))
    assert "hidden" not in probe.text
    return probe.verdict, probe.text


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_the_sandbox_is_called_by_its_name(settings, sandbox, provider, path):
    settings.SANDBOX_URL = f"{sandbox.url}{path}"
    assert asked(f"{sandbox.url}/v1", provider=provider, model="o9") == (
        Verdict.ACCEPTED,
        "The provider accepts the key. It is the sandbox, which accepts every key and answers as "
        "every model.",
    )


def test_each_way_to_fail_is_said_with_the_host(settings, monkeypatch):
    monkeypatch.setattr(key_probe, "_SECONDS_MAX", 0.3)
    with serving(_Provider) as port:
        host = f"127.0.0.1:{port}"
        assert asked(f"http://{host}/v1")[0] is Verdict.ACCEPTED
        assert asked(f"http://{host}/open", model="o9") == (
            Verdict.UNKNOWN,
            "The test does not show whether the provider accepts the key. It lists its models to "
            "everybody, with or without a key. Its list of models does not have o9.",
        )
        assert f"{host} did not answer in time." in asked(f"http://{host}/slow")[1]
        assert "certificate" in asked(f"https://{host}/v1")[1]
        settings.PROVIDER_NETWORKS = []
        assert "BUTLER_PROVIDER_NETWORKS" in asked(f"http://{host}/v1")[1]


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://127.0.0.1:9/v1", "127.0.0.1:9 takes no connection. Check the base URL"),
        ("http://nowhere.invalid/v1", "There is no host nowhere.invalid."),
    ],
)
def test_a_host_that_is_not_there_is_said(base_url, said):
    found, text = asked(base_url)
    assert found is Verdict.UNDECIDED
    assert said in text
