"""Services at the other end: a webhook that listens, a socket that never answers, a closed port."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from dataclasses import dataclass, field

import pytest

from common import addresses
from tests.alerts.builders import SECRET
from tests.http_server import QuietHandler, serving


@dataclass
class Webhook:
    """A web server that remembers what it was sent; answers `status`."""

    port: int = 0
    status: int = 200
    messages: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    # Bodies as they came, each with its headers.
    requests: list = field(default_factory=list)

    @property
    def url(self):
        """Its Apprise URL, with a secret in the path."""
        return f"json://127.0.0.1:{self.port}/hook/{SECRET}"

    @property
    def signed_url(self):
        """Its URL as a signed webhook."""
        return f"http://127.0.0.1:{self.port}/hook/{SECRET}"


@pytest.fixture(autouse=True)
def this_machine(settings):
    """Channels may call this machine, where the services of the tests are."""
    settings.CHANNEL_NETWORKS = addresses.networks(["127.0.0.0/8"])


@pytest.fixture
def webhook():
    """A running `Webhook`."""
    hook = Webhook()

    class Handler(QuietHandler):
        def do_POST(self):
            hook.paths.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.requests.append((body, dict(self.headers)))
            hook.messages.append(json.loads(body))
            self.send_response(hook.status)
            self.send_header("content-length", "0")
            self.end_headers()

    with serving(Handler) as hook.port:
        yield hook


@pytest.fixture
def mail_server():
    """Port of a mail server, and the list of the mails it took."""
    mails = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                self.wfile.write(self.answer(line[:4].upper()))

        def answer(self, verb):
            if verb != b"DATA":
                return b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n"
            self.wfile.write(b"354 go on\r\n")
            mails.append("".join(line.decode() for line in iter(self.rfile.readline, b".\r\n")))
            return b"250 taken\r\n"

    with serving(Handler, kind=socketserver.ThreadingTCPServer) as port:
        yield port, mails


@pytest.fixture
def closed_url():
    """An Apprise URL of a port on which no server listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"json://127.0.0.1:{port}/{SECRET}"


@pytest.fixture
def tarpit_url():
    """An Apprise URL of a service that takes the connection and never says a word."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        yield f"json://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"


@pytest.fixture
def trickling_url():
    """An Apprise URL of a service that answers one byte every 0.2 s, for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_trickle, args=(server,), daemon=True).start()
    yield f"json://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
    server.close()


def _trickle(server):
    with contextlib.suppress(OSError):
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.2)
