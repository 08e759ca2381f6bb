"""A provider that refuses what it is told to refuse, and answers everything else well."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, NamedTuple

from tests.http_server import QuietHandler, serving

_GOOD = {
    "id": "x",
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ok"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7},
}


class Received(NamedTuple):
    """A request: the slug of its API key (its secret is `secret-` and the slug), path and body."""

    key: str
    path: str
    body: str


@dataclass
class Refusal:
    """A refusal of the requests whose path or body has `when`, for some keys or for all.

    `hangs_until`: nothing is answered before that.
    """

    status: int
    body: Any = ""
    when: str = ""
    keys: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    hangs_until: Event | None = None

    def concerns(self, request: Received) -> bool:
        """Whether the request is refused."""
        return self.when in f"{request.path} {request.body}" and (
            not self.keys or request.key in self.keys
        )

    @property
    def raw(self) -> bytes:
        """The body."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class FakeProvider:
    """`received`: what came, probes included. `base_url`: its address."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.refusals: list[Refusal] = []
        self.base_url = ""

    def refuse(self, status: int, body: Any = "", **options: Any) -> None:
        """Refuse from now on; see `Refusal`."""
        self.refusals.append(Refusal(status, body, **options))

    def relent(self) -> None:
        """Refuse nothing any more."""
        self.refusals.clear()

    def calls(self) -> list[str]:
        """The keys of the calls that came, without the probes."""
        return [r.key for r in self.received if not r.path.endswith("/models")]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        secret = handler.headers.get("x-api-key") or handler.headers.get("authorization", "")
        if not secret:
            handler.send_error(401)
            return
        secret = secret.split()[-1]
        request = Received(secret.removeprefix("secret-"), handler.path, body.decode())
        self.received.append(request)
        refusal = next((r for r in self.refusals if r.concerns(request)), Refusal(200, _GOOD))
        if refusal.hangs_until:
            refusal.hangs_until.wait(timeout=30)
        handler.send_response(refusal.status)
        headers = {"content-type": "application/json", **refusal.headers}
        for name, value in {**headers, "content-length": str(len(refusal.raw))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(refusal.raw)


@contextmanager
def running_fake_provider() -> Iterator[FakeProvider]:
    """The provider, on a free port."""
    provider = FakeProvider()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            provider.answer(self)

        def do_GET(self) -> None:
            provider.answer(self)

    with serving(Handler) as port:
        provider.base_url = f"http://127.0.0.1:{port}/v1"
        yield provider
