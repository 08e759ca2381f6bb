"""The gateway over HTTP: in a thread, on the database of the test, with the sandbox behind it."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvicorn
from django.utils import timezone

from butler_site.asgi import application
from butler_site.http_protocol import LimitedHttpProtocol
from gateway import dialects
from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import Allocation, ApiKey
from keys.supply.model_facts import facts_by_name
from tests.actors import ACTOR
from tests.gateway.sandbox import RunningSandbox
from tests.keys.builders import PAID, allocate, limit, make_people
from tests.remembered_rows import remember_rows
from tests.threads import wait_until

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
DIALECTS = {"openai": dialects.CHAT, "anthropic": dialects.MESSAGES}
WAITS_SECONDS = 30
# Its tokenizer is public, so what Butler counts is what the sandbox bills.
MODEL = "gpt-4o"


class Answer(NamedTuple):
    """What a client got. `whole`: the connection was not closed before the answer was over."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Butler's own code of a refusal."""
        return self.json["butler"]["code"]


class _PromptServer(uvicorn.Server):
    """Notices at once that it must stop, and stops at once if nobody is connected; uvicorn looks
    and waits for a tenth of a second each time, in a thousand tests."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(0.005)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()


class RunningGateway:
    """`url`: without /v1. `stop`: as at SIGTERM, waiting so many seconds for what runs."""

    def __init__(self, server: uvicorn.Server, thread: threading.Thread, url: str) -> None:
        self.url, self._server, self._thread = url, server, thread

    def stop(self) -> None:
        """Stop as at SIGTERM; returns when it is gone."""
        self._server.should_exit = True
        self._thread.join(timeout=WAITS_SECONDS)
        assert not self._thread.is_alive(), "the gateway does not stop"


@contextmanager
def running_gateway(*, grace_seconds: int = 1, port: int = 0) -> Iterator[RunningGateway]:
    """The ASGI application of Butler on a free port, or on this one; it waits `grace_seconds` for
    what runs."""
    config = uvicorn.Config(
        application,
        port=port,
        http=LimitedHttpProtocol,
        loop="uvloop",
        lifespan="on",
        ws="none",
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=grace_seconds,
    )
    server = _PromptServer(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    port = server.servers[0].sockets[0].getsockname()[1]
    running = RunningGateway(server, thread, f"http://127.0.0.1:{port}")
    try:
        yield running
    finally:
        running.stop()


@remember_rows
def supply(*slugs: str, tokens: int = 10_000_000, **terms: Any) -> None:
    """People, and keys with these slugs under limits; the sandbox is behind them unless told."""
    make_people()
    for slug in slugs:
        supply_key(slug, tokens=tokens, **terms)


def supply_key(slug: str, *, tokens: int = 10_000_000, **terms: Any) -> ApiKey:
    """One more key, with a limit."""
    usual = {
        "provider": "nvidia",
        "model": MODEL,
        "rates": PAID,
        "sandbox": "base_url" not in terms,
    }
    asked, now = keys.KeyTerms(**{**usual, **terms}), timezone.now()
    key = keys.add_key(slug, terms=asked, secret=f"secret-{slug}", actor=ACTOR, now=now)
    for unit, amount in (("tokens", tokens), ("usd", 10_000)):
        limit(key, amount, unit=unit, now=now)
    return key


class Session(NamedTuple):
    """A session and where it calls."""

    url: str
    allocation: Allocation
    wire_format: str

    @property
    def token(self) -> str:
        """Its secret."""
        return session_token(self.allocation.session_id)

    def body(self, said: str = "hello", **fields: Any) -> bytes:
        """A request that says something."""
        asked = {"model": "any", "max_tokens": 40, "messages": [{"role": "user", "content": said}]}
        return json.dumps({**asked, **fields}).encode()

    def bound(self, body: bytes) -> int:
        """The most input tokens of a body, as admission counts them."""
        dialect = DIALECTS[self.wire_format]
        return dialect.input_bound(dialect.parse(body), model=facts_by_name(MODEL))

    def call(self, said: str = "hello", *, headers: dict | None = None, **fields: Any) -> Answer:
        """Call and read the answer to its end."""
        with closing(self.open(self.body(said, **fields), headers=headers)) as way:
            return answer_of(way)

    def open(self, body: bytes, *, headers: dict | None = None, path: str = "") -> HTTPConnection:
        """Send a request; nothing is read yet."""
        way = HTTPConnection(urlsplit(self.url).netloc, timeout=WAITS_SECONDS)
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        way.request("POST", path or PATHS[self.wire_format], body, {**sent, **(headers or {})})
        return way


def answer_of(way: HTTPConnection) -> Answer:
    """The answer to what was sent on a connection; status 0: none came, and the body says why."""
    try:
        response = way.getresponse()
    except (HTTPException, OSError) as error:
        return Answer(0, {}, repr(error).encode(), whole=False)
    body, whole = read_all(response)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, whole)


def read_all(response: HTTPResponse) -> tuple[bytes, bool]:
    """The body as far as it came, and whether it is whole."""
    body = b""
    try:
        while piece := response.read1():
            body += piece
    except (HTTPException, OSError):
        return body, False
    return body, response.length in (None, 0)


def lend(url: str, *, tokens: int = 100_000, wire_format: str = "openai", **terms: Any) -> Session:
    """A session of ada's."""
    lent = allocate(tokens=tokens, now=timezone.now(), **terms)
    return Session(url, lent, wire_format)


@contextmanager
def gateway_on(sandbox: RunningSandbox, settings, **options: Any) -> Iterator[RunningGateway]:
    """The gateway with this sandbox behind it."""
    settings.SANDBOX_URL = f"{sandbox.url}/v1"
    sandbox.clear()
    with running_gateway(**options) as running:
        yield running
