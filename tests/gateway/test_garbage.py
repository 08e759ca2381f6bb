"""What no client should send: it is refused by name, nothing of it reaches a provider."""

import json
import socket
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Agent, Charge
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.server import PATHS, answer_of, gateway_on, lend, read_all, supply
from tests.keys.builders import complete

pytestmark = pytest.mark.django_db(transaction=True)
every_format = pytest.mark.parametrize("wire_format", list(PATHS))
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def session(sandbox, settings):
    """A session of the gateway."""
    settings.GATEWAY_BODY_BYTES_MAX = 200_000
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield lend(running.url)


def asked(**fields):
    """A request that is fine but for these fields."""
    return json.dumps({"model": "any", "max_tokens": 20, "messages": HELLO, **fields}).encode()


BODIES = {
    "nothing": b"",
    "no JSON": b"hello",
    "half of it": asked()[:-5],
    "a list": b"[]",
    "a number": b"1e999",
    "null": b"null",
    "binary": bytes(range(256)) * 4,
    "NUL": b"\0" * 100,
    "no UTF-8": asked().replace(b"hello", b"\xff\xfe\xc0"),
    "UTF-16": asked().decode().encode("utf-16"),
    "a deep list": b'{"model": "m", "messages": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "a model that is a list": asked(model=["m"]),
    "negative max_tokens": asked(max_tokens=-1),
    "max_tokens with a point": asked(max_tokens=1.5),
    "max_tokens as text": asked(max_tokens="20"),
    "max_tokens as truth": asked(max_tokens=True),
    "endless max_tokens": asked(max_tokens=10**30),
    "stream as text": asked(stream="yes"),
    "Max_Tokens": asked(Max_Tokens=10**6),
    "too much": asked(messages=[{"role": "user", "content": "x" * 300_000}]),
}


@every_format
@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_a_body_that_makes_no_sense_is_refused(session, sandbox, wire_format, body):
    session = session._replace(wire_format=wire_format)
    with closing(session.open(body)) as way:
        answer = answer_of(way)
    expected = 413 if body == BODIES["too much"] else 400
    assert answer.status == expected, answer
    assert answer.headers["x-should-retry"] == "false"
    _check_nothing_happened(sandbox)
    assert session.call().status == 200, "the next call is served"


@pytest.mark.parametrize(
    "fields",
    [{"n": 0}, {"n": -1}, {"n": 10**6}, {"n": "2"}, {"max_completion_tokens": -5}],
    ids=str,
)
def test_what_chat_alone_has_is_looked_at_too(session, sandbox, fields):
    with closing(session.open(asked(**fields))) as way:
        assert answer_of(way).status == 400
    _check_nothing_happened(sandbox)


@every_format
def test_messages_of_any_shape_never_break_the_gateway(session, sandbox, wire_format):
    session = session._replace(wire_format=wire_format)
    for messages in (None, 7, "hi", {}, [], [None], [[]], ["hi"], [{"role": 1, "content": {}}]):
        for more in ({}, {"tools": "x"}, {"tools": [None]}, {"system": 5}, {"metadata": [1]}):
            with closing(session.open(asked(messages=messages, **more))) as way:
                answer = answer_of(way)
            assert answer.status in (200, 400), (messages, more, answer)
    assert not Charge.objects.filter(status="held").exists()
    assert_books_balance()


@every_format
def test_unknown_fields_that_may_pass_reach_the_provider_as_they_came(
    sandbox, settings, wire_format
):
    with wire.wired(wire.WHOLE + b"{}") as wired, gateway_on(sandbox, settings) as running:
        supply("key-1", base_url=wired.base_url, provider=wire_format, passed_fields=["x_new"])
        session = lend(running.url, wire_format=wire_format)
        body = asked()[:-1] + b', "x_new": {"b":1.50,  "a":[1e3,"\\u00e4"]}}'
        with closing(session.open(body)) as way:
            assert answer_of(way).status == 200
    assert b'"x_new":{"b":1.50,  "a":[1e3,"\\u00e4"]}' in wired.last


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP"])
def test_a_compressed_body_is_refused(session, sandbox, encoding):
    with closing(session.open(asked(), headers={"content-encoding": encoding})) as way:
        assert answer_of(way).status == 400
    _check_nothing_happened(sandbox)


def test_only_a_live_session_of_its_own_is_served(session, sandbox):
    agent = Agent.objects.get(pk="bob")
    _, bobs = keys.issue_token(agent, scopes=["spend"], actor=ACTOR, now=timezone.now())
    for token in ("", "x", "bs_", bobs, session.token[:-1] + "!", session.token + "x", "ä", "\xff"):
        for name, scheme in (("authorization", "Bearer "), ("x-api-key", "")):
            answer = _sent(session, {name: f"{scheme}{token}"})
            assert answer.status == 401, (token, name, answer)
            assert answer.headers["x-should-retry"] == "false"
    assert _sent(session, {}).status == 401
    assert _sent(session, {"authorization": f"Basic {session.token}"}).status == 401
    _check_nothing_happened(sandbox)
    assert _sent(session, {"x-api-key": session.token}).status == 200


def test_a_closed_session_and_one_of_a_disabled_agent_are_refused(session, sandbox):
    others = session._replace(allocation=lend("", agent="bob").allocation)
    assert (session.call().status, others.call().status) == (200, 200)
    complete(session.allocation, now=timezone.now())
    Agent.objects.filter(pk="bob").update(disabled_at=timezone.now())
    sandbox.clear()
    answer = session.call()
    assert (answer.status, answer.code) == (400, "allocation_closed")
    assert session._replace(wire_format="anthropic").call().status == 400
    with closing(session.open(session.body(), path="/v1/messages/count_tokens")) as way:
        assert answer_of(way).status == 400
    answer = others.call()
    assert (answer.status, answer.code) == (403, "agent_disabled")
    assert not sandbox.log()
    assert_books_balance()


def test_a_stream_under_way_ends_as_ever_when_its_agent_is_disabled(session):
    with closing(session.open(session.body("[[sandbox output=20 slow_ms=5]]", stream=True))) as way:
        response = way.getresponse()
        Agent.objects.filter(pk="ada").update(disabled_at=timezone.now())
        body, whole = read_all(response)
    assert whole and b"[DONE]" in body
    assert Charge.objects.get().basis == "provider"
    assert session.call().status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files",
        "/v1/chat/completions/../files",
        "/v1/../sandbox/log",
        "/v1/%2e%2e/sandbox/log",
        "/v1/messages/batches",
        "/v1/CHAT/completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions%3Fx",
        "/v1/chat/completions;x=y",
        "/v1/chat/completions/..;/files",
        "/v1/chat/completions/.",
        "/v1/./chat/completions",
        "/v1/files?/v1/chat/completions",
        "/v1/chat\\completions",
        "/v1/chat/completions%0d%0ax:%20y",
        "/v1/chat/completions%c3%a9",
        "/v1",
        "/v1/",
    ],
)
def test_a_path_that_is_not_metered_is_not_forwarded(session, sandbox, path):
    answer = _sent(session, {"authorization": f"Bearer {session.token}"}, path=path)
    assert (answer.status, answer.code) == (404, "route_not_found")
    for method in ("GET", "DELETE", "PUT"):
        assert _sent(session, {}, path=PATHS["openai"], method=method).status == 404
    _check_nothing_happened(sandbox)


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: {0}\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: {0}\r\n",
        b"content-length: {0}\r\ncontent-length: 1\r\n",
        b"content-length: +{0}\r\n",
        b"content-length: {0}, {0}\r\n",
        b"content-length: -1\r\n",
        b"content-length: 0x10\r\n",
        b"content-length : {0}\r\n",
        b"content-length: {0}\nx: y\r\n",
        b"x: y\r\n content-length: 1\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding:\x0bchunked\r\n",
    ],
)
def test_a_request_whose_end_can_be_read_in_two_ways_is_refused(session, sandbox, head):
    body = asked()
    second = b"GET /v1/models HTTP/1.1\r\nhost: butler\r\n\r\n"
    first = f"POST {PATHS['openai']} HTTP/1.1\r\nauthorization: Bearer {session.token}\r\n"
    with socket.create_connection((_host(session).split(":")[0], _port(session))) as way:
        length = str(len(body)).encode()
        way.sendall(first.encode() + head.replace(b"{0}", length) + b"\r\n" + body + second)
        received = way.makefile("rb").read()
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1, "the connection is closed, nothing after is read"
    _check_nothing_happened(sandbox)


@pytest.mark.parametrize("query", ["?beta=true", "?", "?a=%00%zz&b=\\", "?x=" + "y" * 5_000])
def test_a_query_changes_nothing(session, sandbox, query):
    token = {"authorization": f"Bearer {session.token}"}
    assert _sent(session, token, path=PATHS["anthropic"] + query).status == 200
    assert len(sandbox.log()) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"user-agent: x\r\nx-api-key: real\r\n",
        b"user-agent: x\ry: z\r\n",
        b"anthropic-beta: \x01\x02\r\n",
        b"anthropic-version: \xff\xfe\r\n",
        b"accept: " + b"a" * 9_000 + b"\r\n",
        b"idempotency-key: a b\r\n",
        b"idempotency-key: \r\n",
        b"idempotency-key: " + b"k" * 300 + b"\r\n",
        b"transfer-encoding: chunked\r\n",
    ],
    ids=range(9),
)
def test_headers_cannot_break_out_or_the_gateway(session, sandbox, head):
    body = asked()
    whole = (
        f"POST {PATHS['anthropic']} HTTP/1.1\r\nhost: butler\r\n"
        f"authorization: Bearer {session.token}\r\ncontent-length: {len(body)}\r\n"
    ).encode()
    with socket.create_connection((_host(session).split(":")[0], _port(session))) as way:
        way.sendall(whole + head + b"connection: close\r\n\r\n" + body)
        status = way.makefile("rb").readline().split(b" ")[1:2]
    assert status in ([b"200"], [b"400"])
    assert len(sandbox.log()) == (status == [b"200"])
    assert all(call["key"] == "key-1" for call in sandbox.log())
    assert_books_balance()


@pytest.mark.parametrize(
    "odd",
    [
        b'"id": "\\u0000", "usage": {"prompt_tokens": 5, "completion_tokens": 1}',
        b'"id": 7, "usage": {"prompt_tokens": 5, "completion_tokens": 1e99}',
        b'"usage": {"prompt_tokens": 5, "completion_tokens": 1, "cost": 1e300}',
        b'"usage": {"prompt_tokens": 5, "completion_tokens": 1, "cost": "NaN"}',
        b'"usage": {"prompt_tokens": 999999999999999999999, "completion_tokens": 1}',
        b'"usage": {"prompt_tokens": -5, "completion_tokens": 1}',
        b'"usage": [[[',
        b'"usage": ' + b"[" * 50_000,
    ],
    ids=range(8),
)
def test_odd_reports_of_a_provider_are_settled(sandbox, settings, odd):
    with wire.wired(wire.WHOLE + b"{" + odd + b"}") as wired, gateway_on(sandbox, settings) as run:
        supply("key-1", base_url=wired.base_url, provider="openai")
        assert lend(run.url).call().status == 200
    assert Charge.objects.get().status == "settled"
    assert Charge.objects.get().tokens > 0
    assert_books_balance()


def _check_nothing_happened(sandbox) -> None:
    assert not sandbox.log()
    assert not Charge.objects.exists()


def _sent(session, headers: dict, *, path: str = PATHS["openai"], method: str = "POST"):
    with closing(HTTPConnection(_host(session), timeout=20)) as way:
        way.putrequest(method, path, skip_accept_encoding=True)
        body = asked()
        for name, value in {**headers, "content-length": str(len(body))}.items():
            way.putheader(name, value.encode())
        way.endheaders(body)
        return answer_of(way)


def _host(session) -> str:
    return urlsplit(session.url).netloc


def _port(session) -> int:
    return urlsplit(session.url).port
