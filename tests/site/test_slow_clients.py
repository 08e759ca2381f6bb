"""Clients that are slow, silent or too large take no thread from others, and are disconnected."""

import asyncio
import json
import logging
import socket
import struct
import threading
import time
from contextlib import ExitStack, closing
from functools import partial
from http.client import HTTPConnection
from types import SimpleNamespace
from unittest.mock import AsyncMock
from urllib.parse import urlsplit

import pytest

from butler_site import asgi, http_protocol, pages
from common import request_body
from tests.gateway.server import lend, running_gateway, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
WAITS_SECONDS = 30
# Slow requests of which none ends: more than Django has threads.
SLOW = 40
LARGE_FILE = (
    b"GET /static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js HTTP/1.1\r\n"
    b"Host: localhost\r\n\r\n"
)


@pytest.fixture(scope="module")
def url():
    with running_gateway() as running:
        yield running.url


@pytest.fixture
def lent(url):
    """A session that may call."""
    supply("nvidia-1")
    return lend(url)


@pytest.fixture
def connect(url):
    """Opens connections on which tests write bytes; they are closed at the end."""
    with ExitStack() as stack:

        def opened():
            address = urlsplit(url)
            way = socket.create_connection((address.hostname, address.port), WAITS_SECONDS)
            return stack.enter_context(way)

        yield opened


def get(url, path, *, method="GET", body=None, headers=None):
    """The status, headers and body of an answer."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=WAITS_SECONDS)) as way:
        way.request(method, path, body, headers or {})
        answer = way.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def answer(way):
    """All that came until the server closed the connection."""
    received = b""
    while piece := way.recv(65_536):
        received += piece
    return received


def test_the_process_says_that_it_lives(url):
    status, headers, body = get(url, "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["cache-control"] == "no-store"
    assert get(url, "/healthz", method="HEAD")[::2] == (200, b"")
    assert get(url, "/healthz", method="POST")[0] in (403, 404)


@pytest.mark.parametrize("path", ["/admin/login/", "/api/v1/estimates", "/nowhere", "/v1/messages"])
def test_bodies_that_do_not_come_take_no_thread(url, connect, path):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\nab"
    for _ in range(SLOW):
        connect().sendall(head.encode())
    assert get(url, "/healthz")[0] == 200
    assert get(url, "/api/v1/errors")[0] == 200
    assert get(url, "/admin/login/")[0] == 200


def scope_of(method, path, **headers):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": b"",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


def test_a_file_is_not_written_to_its_end_for_a_client_that_has_gone():
    rows, closed = iter([b"a row"] * 10_000), []

    def application(environ, start_response):
        start_response("200 OK", [])
        try:
            yield from rows
        finally:
            closed.append(True)

    async def serve():
        came = AsyncMock(side_effect=[{"type": "http.request"}, {"type": "http.disconnect"}])
        async with asyncio.timeout(WAITS_SECONDS):
            await pages.Pages(application)(scope_of("GET", "/spend"), came, AsyncMock())

    asyncio.run(serve())
    assert closed == [True]
    assert next(rows, None), "all rows were taken"


@pytest.mark.parametrize(
    ("method", "path", "most"), [("GET", "/api/v1/usage", 2), ("POST", "/admin/login/", 1)]
)
def test_requests_with_one_token_leave_threads_for_others(settings, method, path, most):
    """Half of the threads work for the token that sent the most, one for those who sign in."""
    settings.WEB_THREADS, done, at_work = 4, threading.Event(), []

    def application(environ, start_response):
        token = environ["HTTP_AUTHORIZATION"]
        at_work.append(token)
        if token == "greedy":
            done.wait(WAITS_SECONDS)
        start_response("200 OK", [])
        return [b""]

    async def ask(served, token, method="GET", path="/api/v1/usage"):
        scope = scope_of(method, path, authorization=token)
        await served(scope, AsyncMock(return_value={"type": "http.request"}), AsyncMock())

    async def serve():
        served = pages.Pages(application)
        greedy = [asyncio.create_task(ask(served, "greedy", method, path)) for _ in range(10)]
        for token in ("modest", "another"):
            await ask(served, token)
        assert at_work.count("greedy") <= most
        done.set()
        await asyncio.gather(*greedy)

    asyncio.run(serve())
    assert at_work.count("greedy") == 10


@pytest.mark.parametrize(
    "head", ["Content-Length: 1000", "Transfer-Encoding: chunked"], ids=["length", "chunks"]
)
def test_a_body_that_does_not_come_is_refused_in_the_end(connect, monkeypatch, head):
    monkeypatch.setattr(request_body, "_GRACE_SECONDS", 0.05)
    way = connect()
    way.sendall(f"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
    received = answer(way)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "body_too_slow"' in received


def test_a_body_for_the_gateway_is_read_only_with_a_token(connect, lent):
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    way = connect()
    way.sendall(f"{head}Authorization: Bearer bs_nobody\r\n\r\n".encode())
    assert way.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_a_body_for_the_gateway_has_a_deadline(connect, lent, monkeypatch):
    monkeypatch.setattr(request_body, "_GRACE_SECONDS", 0.05)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    way = connect()
    way.sendall(f"{head}Authorization: Bearer {lent.token}\r\n\r\n".encode())
    received = way.recv(65_536)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in received


def test_a_body_may_take_as_long_as_its_size_needs(connect, monkeypatch):
    monkeypatch.setattr(request_body, "_GRACE_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "_BYTES_PER_SECOND_LEAST", 10)
    way = connect()
    way.sendall(b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 303\r\n\r\n")
    way.sendall(b"x" * 301)
    assert get_later(way, b"yy").startswith(b"HTTP/1.1 401 ")


def get_later(way, rest):
    """Send the rest once the deadline of an empty body is over: the server has closed by then."""
    way.settimeout(0.2)
    with pytest.raises(TimeoutError):
        way.recv(1)
    way.settimeout(WAITS_SECONDS)
    way.sendall(rest)
    return way.recv(65_536)


@pytest.mark.parametrize(
    ("path", "size"), [("/api/v1/tasks", 6_200_001), ("/admin/login/", 2_700_000)]
)
def test_a_body_that_is_too_large_is_refused_before_it_comes(connect, path, size):
    way = connect()
    way.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    assert answer(way).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_once_it_is_too_large(connect, settings):
    settings.API_BODY_BYTES_MAX = 1_000
    way = connect()
    way.sendall(b"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    way.sendall(b"3e9\r\n" + b"x" * 1_001 + b"\r\n")
    assert answer(way).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_read(url):
    status, _, body = get(
        url, "/api/v1/tasks", method="POST", body=iter([b'{"a', b'": 1}']), headers={}
    )
    assert (status, json.loads(body)["code"]) == (401, "not_authenticated")


def test_large_bodies_share_a_bounded_memory(url, connect, monkeypatch):
    monkeypatch.setattr(pages, "_LARGE_BYTES_MAX", 150_000)
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    first, second = connect(), connect()
    first.sendall(head + b"x")
    wait_until(lambda: asgi._pages._large_bytes == 100_000)
    second.sendall(head + b"x")
    assert answer(second).startswith(b"HTTP/1.1 503 ")
    assert get(url, "/api/v1/tasks", method="POST", body=b"{}")[0] == 401
    first.sendall(b"x" * 99_999)
    assert first.recv(65_536).startswith(b"HTTP/1.1 401 ")
    wait_until(lambda: asgi._pages._large_bytes == 0)
    assert get(url, "/api/v1/tasks", method="POST", body=b"x" * 100_000)[0] == 401


def test_what_is_no_http_is_answered_and_writes_no_line_of_the_log(connect, caplog, monkeypatch):
    log = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(log, "level", logging.WARNING)
    log.addHandler(caplog.handler)
    try:
        way = connect()
        way.sendall(b"GET / HTTP/9.9\r\n\r\n")
        assert answer(way).startswith(b"HTTP/1.1 400 ")
        log.warning("another line")
    finally:
        log.removeHandler(caplog.handler)
    assert set(caplog.messages) == {"another line"}


@pytest.mark.parametrize("line", [b"X-Long: ", b"GET /", b"Cookie: a="])
def test_a_head_that_is_too_large_is_431(connect, line):
    way = connect()
    way.sendall(
        line if line.startswith(b"GET") else b"GET / HTTP/1.1\r\nHost: localhost\r\n" + line
    )
    received = b""
    with closing(way):
        try:
            for _ in range(100):
                way.sendall(b"a" * 100_000)
        except OSError:
            pass
        try:
            received = answer(way)
        except OSError:
            received = b"HTTP/1.1 431 "  # The answer was lost: the server closed on unread bytes.
    assert received.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "begun", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"\r\n\r\n"]
)
def test_a_head_that_does_not_end_is_cut_off(connect, monkeypatch, begun):
    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 0.05)
    way = connect()
    way.sendall(begun)
    assert answer(way) == b""


def test_a_second_head_that_does_not_end_is_cut_off(connect, monkeypatch):
    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 0.05)
    way = connect()
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    way.sendall(request)
    assert way.recv(65_536).startswith(b"HTTP/1.1 200 ")
    way.sendall(request[:10])
    assert answer(way) == b""


def test_a_head_of_many_pieces_is_read(connect):
    way = connect()
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
        way.sendall(bytes([byte]))
    assert answer(way).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("pieces", [[b"x" * 5], [b"x" * 3, b"xx"], [b"x" * 5, b"\r\n"]])
def test_an_answer_may_take_longer_than_a_head(connect, monkeypatch, pieces):
    async def answers_late(scope, receive, send):
        assert await request_body.read_body(receive, bytes_max=5) == b"xxxxx"
        await asyncio.sleep(4 * http_protocol._HEAD_SECONDS)
        await pages._respond(scope, send, 200, "application/json", {})

    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 0.05)
    monkeypatch.setattr(asgi, "_pages", answers_late)
    way = connect()
    way.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    way.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
    for piece in pieces:
        time.sleep(0.01)
        way.sendall(piece)
    assert way.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_the_bytes_of_a_body_are_not_those_of_a_head(url, monkeypatch):
    monkeypatch.setattr(http_protocol, "_HEAD_BYTES_MAX", 1_000)
    assert get(url, "/api/v1/tasks", method="POST", body=b"x" * 1_000_000)[0] == 401


@pytest.mark.parametrize("reads", [0, 1], ids=["nothing", "a byte"])
def test_a_client_that_does_not_read_its_answers_is_disconnected(connect, monkeypatch, reads):
    monkeypatch.setattr(http_protocol, "_READ_SECONDS", 0.05)
    way = connect()

    def is_disconnected():
        try:
            way.sendall(b"\r\n")
            way.recv(reads)
        except OSError:
            return True
        return False

    way.sendall(LARGE_FILE * 20)
    wait_until(is_disconnected)
    assert is_disconnected()


def test_a_client_that_left_before_its_answers_were_sent_keeps_no_thread(url, connect):
    for _ in range(SLOW):
        way = connect()
        way.sendall(LARGE_FILE * 20)
        assert way.recv(1)
        way.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        way.close()
    assert get(url, "/api/v1/errors")[0] == 200


def test_a_client_that_reads_slowly_gets_all_of_its_answers(connect, monkeypatch):
    monkeypatch.setattr(http_protocol, "_READ_SECONDS", 0.05)
    monkeypatch.setattr(http_protocol, "_READ_BYTES_MIN", 1)
    way = connect()
    way.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    # More than the sockets of both ends take.
    last = LARGE_FILE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    way.sendall(LARGE_FILE * 5 + last)
    received = b"".join(iter(lambda: way.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == 6
    head, _, body = received.rpartition(b"HTTP/1.1 200 OK")[2].partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()


class Connection:
    """A connection with `waiting` bytes for its client, whose reading is looked at by hand."""

    def __init__(self, waiting):
        self.waiting, self.looks, self.is_aborted = waiting, [], False
        self.protocol = object.__new__(http_protocol.LimitedHttpProtocol)
        self.protocol.transport = self.protocol.loop = self
        self.protocol._answered = SimpleNamespace(
            disconnected=False, response_complete=False, message_event=asyncio.Event()
        )
        self.protocol._watch_reader()

    def call_later(self, seconds, look, *given):
        self.looks.append((seconds, partial(look, *given)))

    def get_write_buffer_size(self):
        return self.waiting

    def abort(self):
        self.is_aborted = True

    def look(self, *, read):
        """The client has read so many bytes when it is looked at."""
        self.waiting -= read
        _, look = self.looks.pop()
        look()


@pytest.mark.parametrize("read", [20_000, 20_001, 1_000_000])
def test_a_client_that_reads_enough_is_looked_at_again(read):
    connection = Connection(8_000_000)
    for _ in range(3):
        connection.look(read=read)
        assert not connection.is_aborted
        assert [seconds for seconds, _ in connection.looks] == [60]


@pytest.mark.parametrize("read", [0, 1, 19_999])
def test_a_client_that_reads_too_little_is_cut_off(read):
    connection = Connection(8_000_000)
    connection.look(read=20_000)
    connection.look(read=read)
    assert connection.is_aborted
    assert connection.protocol._answered.disconnected
    assert connection.looks == []
