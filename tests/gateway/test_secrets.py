"""A provider's key goes to its provider and nowhere else; the client's own secrets go nowhere."""

import asyncio
import base64
import gzip
import json
import logging
import re
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import brotli
import pytest
from backports import zstd
from django.utils import timezone

from alerts.models import Alert
from gateway import upstream
from gateway.dialects import CHAT
from gateway.requests import Request
from keys import services as keys
from keys.models import ApiKey, Charge
from keys.supply.queries.upstreams import upstream_of
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.server import MODEL, PATHS, Session, gateway_on, lend, supply
from tests.http_server import QuietHandler, serving
from tests.keys.builders import PAID, limit

pytestmark = pytest.mark.django_db(transaction=True)
every_format = pytest.mark.parametrize("wire_format", list(PATHS))
every_way = pytest.mark.parametrize("stream", [False, True])

SECRET = "sk-canary-4f1d9a7c2e60b853"  # butler:allow sk-key canary of this test
PROMPT, ANSWER = "canary-prompt-5d1e", "canary-answer-77a0"
# What the client has of its own, and no provider must learn.
OWN = {
    "idempotency-key": "canary-idempotency",
    "cookie": "session=canary-cookie",
    "forwarded": "for=canary-forwarded",
    "x-forwarded-for": "canary-for",
    "x-forwarded-host": "canary-host",
    "x-real-ip": "canary-ip",
    "openai-organization": "canary-organization",
    "x-anything": "canary-anything",
}
# What says whose key it is.
TELLING = {
    "openai-organization": "canary-organization",
    "openai-project": "canary-project",
    "anthropic-organization-id": "canary-organization",
    "set-cookie": "canary=cookie",
    "x-request-id": "canary-request",
    "location": "http://canary.example/",
}
_USAGE = {
    "openai": {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7},
    "anthropic": {"input_tokens": 6, "output_tokens": 1},
}


class Provider:
    """A provider that writes down what it received and answers as it is told.

    `received`: heads and bodies, as text.
    """

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], str]] = []
        self.status, self.headers, self.body = 200, {}, b""
        self.raw = b""

    def says(self, body: Any, *, status: int = 200, stream: bool = False, **headers: str) -> None:
        """From now on; `body`: an object, or the events of a stream."""
        media = "text/event-stream" if stream else "application/json"
        self.status, self.headers = status, {"content-type": media} | headers
        self.body = wire.events(*body) if stream else json.dumps(body).encode()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers["content-length"]))
        head = {name.lower(): value for name, value in handler.headers.items()}
        self.received.append((head, f"{handler.path} {body.decode()}"))
        if self.raw:
            handler.wfile.write(self.raw)
            return
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(self.body)


@contextmanager
def running_provider(provider: Provider) -> Iterator[str]:
    """Its address."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            provider.answer(self)

        def do_GET(self) -> None:
            provider.received.append(({}, f"followed to {self.path}"))

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def provider():
    """The provider behind the key, and its address."""
    behind = Provider()
    with running_provider(behind) as behind.base_url:
        yield behind


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway."""
    settings.UPSTREAM_SILENCE_SECONDS = settings.UPSTREAM_CONNECT_SECONDS = 1
    with gateway_on(sandbox, settings) as running:
        yield running


def session_on(gateway, base_url: str, wire_format: str, *, sandbox: bool = False) -> Session:
    """A session on a key with the canary as its secret."""
    supply()
    terms = keys.KeyTerms(
        provider=wire_format, model=MODEL, rates=PAID, sandbox=sandbox, base_url=base_url
    )
    now = timezone.now()
    key = keys.add_key("canary-1", terms=terms, secret=SECRET, actor=ACTOR, now=now)
    limit(key, 10_000_000, now=now)
    return lend(gateway.url, wire_format=wire_format)


def whole(wire_format: str, said: str = ANSWER, **fields: Any) -> dict[str, Any]:
    """A whole answer."""
    usage = {"usage": _USAGE[wire_format]}
    if wire_format == "openai":
        message = {"role": "assistant", "content": said}
        return {"id": "call-1", "choices": [{"index": 0, "message": message}], **usage, **fields}
    return {"id": "call-1", "content": [{"type": "text", "text": said}], **usage, **fields}


def streamed(wire_format: str, said: str = ANSWER) -> list[dict[str, Any]]:
    """The events of an answer."""
    if wire_format == "openai":
        delta = {"index": 0, "delta": {"content": said}, "finish_reason": "stop"}
        return [
            {"id": "call-1", "choices": [delta]},
            {"id": "call-1", "choices": [], "usage": _USAGE["openai"]},
        ]
    return [
        {"type": "message_start", "message": {"id": "call-1", "usage": _USAGE["anthropic"]}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": said}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]


@every_format
@every_way
def test_the_provider_gets_its_secret_and_nothing_of_the_client_s_own(
    gateway, provider, wire_format, stream
):
    said = streamed(wire_format) if stream else whole(wire_format)
    provider.says(said, stream=stream, **TELLING)
    session = session_on(gateway, provider.base_url, wire_format)
    answer = session.call(PROMPT, stream=stream, headers=OWN)
    assert answer.status == 200 and ANSWER in answer.body.decode()
    ((head, body),) = provider.received
    credentials = {name: head.get(name) for name in ("authorization", "x-api-key")}
    if wire_format == "openai":
        assert credentials == {"authorization": f"Bearer {SECRET}", "x-api-key": None}
    else:
        assert credentials == {"authorization": None, "x-api-key": SECRET}
    received = f"{head} {body}"
    assert PROMPT in received
    assert session.token not in received
    assert [value for value in OWN.values() if value in received] == []
    assert [name for name, value in TELLING.items() if answer.headers.get(name) == value] == []
    assert_books_balance()


def seen(answer) -> str:
    """Everything a client got."""
    return f"{answer.status} {answer.headers} {answer.body.decode()}"


@every_format
@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_a_whole_answer_that_repeats_the_secret_is_scrubbed(gateway, provider, wire_format, status):
    provider.says(
        whole(wire_format, f"say {SECRET} and {SECRET}!", id=SECRET),
        status=status,
        retry_after=SECRET,
        openai_version=f"of {SECRET}",
    )
    answer = session_on(gateway, provider.base_url, wire_format).call(PROMPT)
    assert answer.status == status
    assert SECRET not in seen(answer)
    assert b"say [secret] and [secret]!" in answer.body
    assert answer.headers["openai-version"] == "of [secret]"
    assert SECRET not in Charge.objects.get().provider_request_id
    assert_books_balance()


@every_format
def test_an_event_that_repeats_the_secret_is_scrubbed(gateway, provider, wire_format):
    provider.says(
        streamed(wire_format, f"say {SECRET}!"), stream=True, openai_version=f"of {SECRET}"
    )
    # What comes after the last whole event, too.
    provider.body += f": {SECRET}".encode()
    answer = session_on(gateway, provider.base_url, wire_format).call(PROMPT, stream=True)
    assert (answer.status, answer.whole) == (200, True)
    assert SECRET not in seen(answer)
    assert b"say [secret]!" in answer.body
    assert Charge.objects.get().basis == "provider"


CLOTHES = {
    "json": "".join(f"\\u{ord(character):04x}" for character in SECRET),
    "url": "".join(f"%{ord(character):02X}" for character in SECRET),
    "base64": base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "capitals": SECRET.upper(),
}
ENCODE = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@every_way
@pytest.mark.parametrize("clothes", CLOTHES)
def test_a_secret_in_other_clothes_is_scrubbed_too(gateway, provider, clothes, stream):
    said = streamed("openai", "say MARK!") if stream else whole("openai", "say MARK!")
    text = CLOTHES[clothes]
    provider.says(said, stream=stream, openai_version=text.replace("\\", ""))
    provider.body = provider.body.replace(b"MARK", text.encode())
    session = session_on(gateway, provider.base_url, "openai")
    answer = session.call(PROMPT, stream=stream)
    assert answer.status == 200 and b"[secret]" in answer.body
    assert text not in seen(answer)
    provider.says({"error": {"message": "wrong MARK"}}, status=400)
    provider.body = provider.body.replace(b"MARK", text.encode())
    refused = session.call(PROMPT)
    assert refused.status == 400 and text not in seen(refused)
    assert "[secret]" in seen(refused)


@every_way
@pytest.mark.parametrize("encoding", ENCODE)
@pytest.mark.parametrize("status", [200, 400])
def test_an_encoded_answer_is_scrubbed(gateway, provider, encoding, stream, status):
    said = streamed("openai", f"say {SECRET}!") if stream else whole("openai", f"say {SECRET}!")
    provider.says(said, stream=stream, status=status, content_encoding=encoding)
    provider.body = ENCODE[encoding](provider.body)
    answer = session_on(gateway, provider.base_url, "openai").call(PROMPT, stream=stream)
    assert answer.status == status and "content-encoding" not in answer.headers
    assert SECRET not in seen(answer) and b"[secret]" in answer.body


@every_way
@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd"])
def test_what_is_encoded_without_saying_so_is_made_unreadable(gateway, provider, encoding, stream):
    said = streamed("openai", f"say {SECRET}!") if stream else {"error": SECRET}
    provider.says(said, stream=stream, status=200 if stream else 400)
    provider.body = ENCODE[encoding](provider.body)
    answer = session_on(gateway, provider.base_url, "openai").call(PROMPT, stream=stream)
    assert provider.body not in answer.body


@every_format
@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_a_secret_that_a_stream_cuts_in_pieces_is_not_passed_on(
    gateway, provider, wire_format, size
):
    first, *others = streamed(wire_format, "MARK")
    text = f"say {SECRET} and go on"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    events = [first, *others]
    (delta,) = [event for event in events if "MARK" in json.dumps(event)]
    at = events.index(delta)
    cut = [json.loads(json.dumps(delta).replace("MARK", piece)) for piece in pieces]
    provider.says([*events[:at], *cut, *events[at + 1 :]], stream=True)
    answer = session_on(gateway, provider.base_url, wire_format).call(PROMPT, stream=True)
    assert (answer.status, answer.whole) == (200, True)
    text = "".join(re.findall(r'"(?:content|text)": ?"([^"]*)"', answer.body.decode()))
    assert SECRET[:12] not in text and SECRET[-12:] not in text
    # Events that have a part of the secret are dropped whole.
    assert not text or (text.startswith("say"[:size]) and text.endswith("go on"[-size:]))
    assert Charge.objects.get().basis == "provider"


@every_format
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_not_told(gateway, provider, wire_format, status):
    to = f"{provider.base_url}/elsewhere?key={SECRET}"
    provider.says({"error": {"message": f"go to {to}"}}, status=status, location=to)
    answer = session_on(gateway, provider.base_url, wire_format).call(PROMPT)
    assert len(provider.received) == 1
    assert "location" not in answer.headers
    assert SECRET not in seen(answer)
    assert Charge.objects.get().status == "released"


def test_an_image_is_not_fetched_from_its_address(gateway, provider):
    provider.says(whole("openai"))
    image = {"type": "image_url", "image_url": {"url": f"{provider.base_url}/a.png"}}
    messages = [{"role": "user", "content": [image]}]
    assert session_on(gateway, provider.base_url, "openai").call(messages=messages).status == 200
    ((_, body),) = provider.received
    assert body.startswith("/v1/chat/completions ")


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refused_key_is_told_in_the_provider_s_words_without_its_secret(
    gateway, provider, status
):
    provider.says({"error": {"message": f"wrong key {SECRET}"}}, status=status, retry_after=SECRET)
    answer = session_on(gateway, provider.base_url, "openai").call(PROMPT)
    assert answer.status >= 400
    assert SECRET not in seen(answer) and "wrong key [secret]" in seen(answer)
    key, alert = ApiKey.objects.get(), Alert.objects.get()
    assert key.status_reason == f"The provider answered {status}: wrong key [secret]."
    assert "wrong key [secret]" in alert.detail


def test_a_word_that_is_no_secret_stays_in_the_answer(provider):
    key = upstream.Upstream("local-1", "1", "local", "llama", "", ("openai",), "ollama")
    assert upstream.scrub(b"I run on ollama.", key) == b"I run on ollama."
    nothing = upstream.Upstream("local-1", "1", "local", "llama", "", ("openai",), "")
    assert upstream.scrub(b"I run.", nothing) == b"I run."


@every_format
def test_a_sandbox_key_never_sends_its_secret_anywhere(gateway, provider, sandbox, wire_format):
    session = session_on(gateway, provider.base_url, wire_format, sandbox=True)
    assert session.call(PROMPT).status == 200
    assert provider.received == []
    assert SECRET not in repr(sandbox.log())
    assert upstream_of("canary-1").secret == "sandbox-canary-1"


class Heard(logging.Handler):
    """Every record of every logger, with its arguments and its exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down as it would be printed, and worse."""
        lines = [f"{record.name} {record.getMessage()}", repr(record.args), repr(vars(record))]
        if record.exc_info:
            lines += traceback.format_exception(*record.exc_info)
        self.lines.append("\n".join(lines))


@pytest.fixture
def heard(gateway, monkeypatch):
    """What is logged while the gateway runs, at DEBUG, before anything is redacted."""
    hears = Heard()
    for name in ("", "asyncio", "aiohttp", "gateway", "django", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        monkeypatch.setattr(logger, "handlers", [*logger.handlers, hears])
    logging.getLogger().manager._clear_cache()
    yield hears
    monkeypatch.undo()
    logging.getLogger().manager._clear_cache()


_HTTP = b"HTTP/1.1 200 OK\r\n"
_ECHO = f"{SECRET} {ANSWER}".encode()
BROKEN = {
    "no http": _ECHO + b"\r\n\r\n",
    "wrong header": _HTTP + b"bad header " + _ECHO + b"\r\n\r\n",
    "cut off": _HTTP + b"content-length: 999\r\n\r\n" + _ECHO,
    "wrong chunk": _HTTP + b"transfer-encoding: chunked\r\n\r\n" + _ECHO + b"\r\n",
    "cut stream": wire.STREAM + b'data: {"x": "' + _ECHO + b'"}\n\ndata: ' + _ECHO,
}


@every_format
@every_way
def test_no_log_has_a_secret_a_prompt_or_an_answer(gateway, provider, heard, wire_format, stream):
    session = session_on(gateway, provider.base_url, wire_format)
    said = streamed(wire_format) if stream else whole(wire_format)
    provider.says(said, stream=stream)
    answers = [session.call(PROMPT, stream=stream)]
    for raw in BROKEN.values():
        provider.raw = raw
        answers.append(session.call(PROMPT, stream=stream))
    provider.raw = b""
    wrong = {"authorization": f"Bearer {session.token}x"}
    answers.append(session.call(PROMPT, stream=stream, headers=wrong))
    provider.says({"error": {"message": f"{SECRET} {PROMPT}"}}, status=401)
    answers.append(session.call(PROMPT, stream=stream))
    assert answers[0].status == 200 and answers[-2].status == 401
    assert all(SECRET not in seen(answer) for answer in answers)
    check_quiet(heard, session)


@pytest.mark.parametrize("why", ["no_server", "no_answer"])
def test_no_log_and_no_answer_tells_why_no_provider_was_reached(gateway, heard, why):
    with getattr(wire, why)() as base_url:
        session = session_on(gateway, base_url, "openai")
        answer = session.call(PROMPT)
    assert answer.status == 502
    assert SECRET not in seen(answer)
    check_quiet(heard, session)


def check_quiet(heard: Heard, session: Session) -> None:
    """Something was heard, but none of what must not be."""
    logging.getLogger("gateway").debug("the end")
    assert any("the end" in line for line in heard.lines)
    for secret in (SECRET, session.token, PROMPT, ANSWER):
        assert [line for line in heard.lines if secret in line] == []


@pytest.mark.parametrize("how", [*BROKEN, "no server", "no address"])
def test_no_exception_has_the_secret_in_its_words(provider, how):
    supply()
    provider.raw = BROKEN.get(how, b"")
    addresses = {"no server": "http://127.0.0.1:1/v1", "no address": "http://:0:0/v1"}
    address = addresses.get(how, provider.base_url)
    key = upstream.Upstream("canary-1", "1", "openai", MODEL, address, ("openai",), SECRET)
    assert SECRET not in f"{key!r} {key} {[key]}"
    told = asyncio.run(_failure(key))
    assert SECRET not in told


async def _failure(key: upstream.Upstream) -> str:
    """What a failed call raises, with all its causes, as a log would print it."""
    scope = {"method": "POST", "path": PATHS["openai"], "query_string": b"", "headers": []}
    request = Request(scope, None, None)
    async with upstream.connection_pool() as pool:
        try:
            answer = await upstream.send(pool, request, key, dialect=CHAT, body=b"{}")
            async with answer:
                await upstream.read(answer, key)
        except (upstream.NothingSent, upstream.Lost) as error:
            return "".join(traceback.format_exception(error)) + repr(error)
    return ""
