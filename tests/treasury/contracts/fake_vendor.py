"""A vendor in a thread that keeps what it was asked: the frame of the stateful fakes.

Each request is checked against the vendor's own document before it is answered, so every test that
uses a fake also shows that what the rail sends is valid.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.http_server import QuietHandler, serving
from tests.treasury.contracts.documents import Document, Sent

# Status and body: an object in JSON, or a text as it is.
Reply = tuple[int, dict[str, Any] | str]


class AnswerLost(Exception):
    """The connection ends without an answer."""


class FakeVendor:
    """What a fake keeps: requests, what the document says against them, faults that wait.

    `faults` are taken one for each POST: `lost_request` (nothing was done), `lost_answer` (it was
    done), a status such as `500` or `429` (nothing was done), or "" for none. `read_faults` are the
    same for each GET, and `no_json` is a page of a proxy.
    """

    def __init__(self, document: Document | None = None) -> None:
        self.document = document
        self.sent: list[Sent] = []
        self.problems: list[str] = []
        self.faults: list[str] = []
        self.read_faults: list[str] = []
        self.url = ""

    def answer(self, sent: Sent) -> Reply:
        """Answer one request. The fakes say how."""
        raise NotImplementedError

    def is_documented(self, sent: Sent) -> bool:
        """Whether the document has this address; addresses of other documents are not checked."""
        return True

    def receive(self, sent: Sent) -> Reply:
        """Check and answer a request, or fail as planned."""
        self.sent.append(sent)
        if self.document is not None and self.is_documented(sent):
            self.problems += self.document.problems_of_request(sent)
        faults = self.faults if sent.method == "POST" else self.read_faults
        fault = faults.pop(0) if faults else ""
        if fault == "lost_request":
            raise AnswerLost
        if fault.isdigit():
            return int(fault), {}
        if fault == "no_json":
            return 200, "<html>Please sign in."
        reply = self.answer(sent)
        if fault == "lost_answer":
            raise AnswerLost
        return reply

    @contextmanager
    def serve(self) -> Iterator["FakeVendor"]:
        """Serve by HTTP. After the block, what was sent must have been valid."""
        with serving(_handler(self)) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self
        assert not self.problems, self.problems


def _handler(vendor: FakeVendor) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            sent = Sent(
                method=self.command,
                path=url.path,
                query=url.query,
                headers=dict(self.headers.items()),
                body=self.rfile.read(size),
            )
            try:
                status, body = vendor.receive(sent)
            except AnswerLost:
                self.close_connection = True
                return
            text = body if isinstance(body, str) else json.dumps(body) if body else ""
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

    return Handler
