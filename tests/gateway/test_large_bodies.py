"""One request is never more than one request: what is refused before it is read or counted, what
large bodies share, and where they are worked on."""

import asyncio
import gc
import gzip
import threading
import tracemalloc
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import msgspec
import pytest
from django.db.models import F
from django.utils import timezone

from butler_site import asgi
from gateway import content_encoding, dialects
from gateway.requests import Request
from keys.models import Agent, Allocation
from keys.supply.model_facts import facts_by_name
from tests.books import assert_books_balance
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import PATHS, WAITS_SECONDS, answer_of, gateway_on, lend, supply
from tests.keys.builders import PAID, complete
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
CHAT, EMBEDDINGS = PATHS["openai"], "/v1/embeddings"
LARGE = 27_000_000


@pytest.fixture(scope="module")
def sandbox():
    """The provider."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def session(sandbox, settings):
    """A session of ada's."""
    supply("key-1", served_rates={"text-embedding-3-small": PAID})
    with gateway_on(sandbox, settings) as running:
        yield lend(running.url)


@pytest.fixture
def begin(session):
    """Begins requests of which only the head is sent."""
    with ExitStack() as stack:

        def begun(size, *, by=session, path=CHAT, **headers):
            way = HTTPConnection(urlsplit(session.url).netloc, timeout=WAITS_SECONDS)
            stack.enter_context(closing(way))
            way.putrequest("POST", path)
            if size is None:
                way.putheader("transfer-encoding", "chunked")
            else:
                way.putheader("content-length", str(size))
            for name, value in {"authorization": f"Bearer {by.token}", **headers}.items():
                way.putheader(name, value)
            way.endheaders()
            return way

        yield begun


def taken():
    """The bytes of large bodies under way."""
    return asgi._gateway._runtime.large_bodies._bytes.total()


# --- Before the body -----------------------------------------------------------------------------


def _close(session):
    complete(session.allocation, now=timezone.now())


def _expire(session):
    Allocation.objects.filter(pk=session.allocation.pk).update(expires_at=timezone.now())


def _use_up(session):
    Allocation.objects.filter(pk=session.allocation.pk).update(used=F("allocated"))


def _disable(session):
    Agent.objects.filter(pk="ada").update(disabled_at=timezone.now())


@pytest.mark.parametrize("end", [_close, _expire, _use_up, _disable])
@pytest.mark.parametrize("size", [LARGE, None])
def test_a_session_that_can_pay_for_nothing_is_refused_before_its_body(session, begin, end, size):
    end(session)
    early = answer_of(begin(size))
    counted = session.call()
    assert (early.status, early.code) == (counted.status, counted.code)
    assert early.json["error"]["code"] == counted.json["error"]["code"]
    headers = ("x-should-retry", "x-butler-tokens-left", "retry-after")
    assert [early.headers.get(name) for name in headers] == [
        counted.headers.get(name) for name in headers
    ]


def test_what_is_held_by_calls_in_flight_may_be_free_again(session, begin, settings):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 0
    allocation = Allocation.objects.filter(pk=session.allocation.pk)
    allocation.update(held=session.allocation.allocated)
    body = session.body("x" * 70_000)
    way = begin(len(body))
    way.send(body)
    assert answer_of(way).code == "budget_in_flight"
    allocation.update(held=0)


def test_a_call_that_was_made_before_is_known_in_a_closed_session(session):
    headers = {"idempotency-key": "once"}
    said = "x" * 70_000
    assert session.call(said, headers=headers).status == 200
    complete(session.allocation, now=timezone.now())
    assert session.call(said, headers=headers).code == "already_called"
    assert session.call(said, headers={"idempotency-key": "other"}).code == "allocation_closed"
    assert_books_balance()


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "setting"),
    [(CHAT, "GATEWAY_BODY_BYTES_MAX"), (EMBEDDINGS, "GATEWAY_TEXT_BODY_BYTES_MAX")],
)
def test_a_body_is_limited_by_its_route(begin, settings, path, setting):
    size = getattr(settings, setting)
    answer = answer_of(begin(size + 1, path=path))
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert f"{size:,} bytes" in answer.json["error"]["message"]


def test_a_compressed_body_is_limited_by_what_it_decodes_to(session, settings):
    settings.GATEWAY_BODY_BYTES_MAX = 100_000
    body = gzip.compress(session.body("x" * 100_000))
    with closing(session.open(body, headers={"content-encoding": "gzip"})) as way:
        assert answer_of(way).code == "body_too_large"


TOOL = {"type": "function", "function": {"name": "f"}}
MESSAGE = {"role": "user", "content": "x"}


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("fields", "setting", "most", "named"),
    [
        ({"tools": [{**TOOL, "x": "y" * 1_000}]}, "TOOLS_BYTES_MAX", 1_000, "1,000 bytes"),
        ({"tools": [TOOL] * 11}, "TOOLS_MAX", 10, "10 entries"),
        ({"messages": [MESSAGE] * 11}, "MESSAGES_MAX", 10, "10 entries"),
        ({"messages": [MESSAGE] * 300}, "JSON_VALUES_MAX", 1_000, "1,000 JSON values"),
        ({f"field-{n}": n for n in range(1_001)}, "TOOLS_MAX", 10, "1,000 fields"),
    ],
)
def test_more_than_a_request_may_have_is_refused_with_the_limit(
    session, sandbox, settings, wire_format, fields, setting, most, named
):
    setattr(settings, f"GATEWAY_{setting}", most)
    answer = session._replace(wire_format=wire_format).call(**fields)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert named in answer.json["error"]["message"]
    assert not sandbox.log()


def test_functions_are_limited_as_tools_are_and_braces_in_texts_are_none(session, settings):
    settings.GATEWAY_TOOLS_MAX = 10
    assert session.call(functions=[{"name": "f"}] * 11).code == "invalid_request"
    assert session.call(functions=[{"name": "f", "description": "{" * 50}]).status == 200


# --- Memory --------------------------------------------------------------------------------------


def test_large_bodies_share_a_bounded_memory_and_no_agent_has_all_of_it(session, begin, settings):
    settings.GATEWAY_LARGE_BODIES_BYTES_MAX = 250_000
    bob = lend(session.url, agent="bob")
    first = begin(100_000)
    wait_until(lambda: taken() == 100_000)
    refused = answer_of(begin(100_000))
    assert (refused.status, refused.code) == (503, "too_many_large_bodies")
    assert int(refused.headers["retry-after"]) > 0
    assert "x-should-retry" not in refused.headers
    second = begin(110_000, by=bob)
    wait_until(lambda: taken() == 210_000)
    assert answer_of(begin(70_000, by=lend(session.url, agent="bob"))).status == 503
    assert session.call().status == bob.call().status == 200
    for way, size in ((first, 100_000), (second, 110_000)):
        way.send(b"x" * size)
        assert answer_of(way).code == "invalid_request"
    wait_until(lambda: taken() == 0)
    assert session.call("x" * 90_000).status == 200


def test_a_body_of_unknown_size_takes_what_it_turns_out_to_be(session, begin, settings):
    settings.GATEWAY_LARGE_BODIES_BYTES_MAX = 150_000
    zipped = gzip.compress(session.body("x" * 80_000))
    with closing(session.open(zipped, headers={"content-encoding": "gzip"})) as way:
        assert answer_of(way).code == "too_many_large_bodies"
    way = begin(None)
    way.send(b"%x\r\n%s\r\n" % (80_000, b"x" * 80_000))
    assert answer_of(way).code == "too_many_large_bodies"
    wait_until(lambda: taken() == 0)


def test_a_compressed_body_is_not_decoded_further_than_there_is_room(
    session, settings, monkeypatch
):
    settings.GATEWAY_LARGE_BODIES_BYTES_MAX = 4_000_000
    decoded = []
    real = content_encoding.Decoder.pieces

    def spied(self, data):
        for piece in real(self, data):
            decoded.append(len(piece))
            yield piece

    monkeypatch.setattr(content_encoding.Decoder, "pieces", spied)
    zipped = gzip.compress(session.body("x" * 30_000_000))
    with closing(session.open(zipped, headers={"content-encoding": "gzip"})) as way:
        assert answer_of(way).code == "too_many_large_bodies"
    assert sum(decoded) < 4_000_000


# --- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "field", "thread"),
    [
        ("x" * 100_000, [], "shared"),
        ("x" * 1_100_000, [], "own"),
        ("x", [1] * 50_001, "own"),
    ],
    ids=["large", "very large", "many values"],
)
@pytest.mark.parametrize("method", ["parse", "input_bound", "provider_body"])
def test_a_large_body_is_not_worked_on_in_the_event_loop(
    session, monkeypatch, method, said, field, thread
):
    where = []
    real = getattr(dialects.chat.Chat, method)

    def spied(*args, **kwargs):
        own = threading.current_thread().name.startswith("large-bodies")
        where.append("own" if own else "loop" if asyncio._get_running_loop() else "shared")
        return real(*args, **kwargs)

    monkeypatch.setattr(dialects.chat.Chat, method, spied)
    lent = lend(session.url, tokens=2_000_000)
    assert lent.call(said, metadata=field).status == 200
    assert set(where) == {thread}


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("x" * 2_000_000, {}),
        ("x" * 100_000, {"tools": [{}] * 5_000}),
        ("x" * 100_000, {"surprise": 1}),
        ("[[sandbox status=400]]" + "x" * 90_000, {}),
        ("[[sandbox status=401]]" + "x" * 90_000, {}),
        ("x" * 90_000, {}),
        ("x" * 90_000, {"stream": True}),
    ],
    ids=["too dear", "invalid", "unknown", "by the provider", "of the key", "answered", "streamed"],
)
def test_a_large_body_is_gone_when_its_call_ends(session, said, fields):
    """At once, and not when garbage is collected, which may be many large bodies later."""
    session.call()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        session.call(said, **fields)
        gc.collect()
        kept = [each for each in gc.garbage if isinstance(each, Request)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not kept


def test_large_tools_do_not_stay_in_memory():
    def ask(number):
        tools = [{**TOOL, "description": f"{number}" * 550_000}]
        asked = dialects.CHAT.parse(msgspec.json.encode({"messages": [], "tools": tools}))
        return dialects.CHAT.input_bound(asked, model=facts_by_name("gpt-7"))

    assert ask(0) > 550_000
    tracemalloc.start()
    for number in range(1, 9):
        ask(number)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000
