"""A server in the place of Butler's API, which keeps what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from tests.http_server import QuietHandler, serving


class Listening:
    """What a server was sent: (path, headers, body) of each request. Answers when `open` is set."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.url = ""
        self.requests = []
        self.open = Event()
        self.open.set()


@contextmanager
def listening(status: int = 200) -> Iterator[Listening]:
    """A server that answers with this status."""
    butler = Listening(status)

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            butler.requests.append((self.path, dict(self.headers), body))
            butler.open.wait()
            self.send_response(butler.status)
            self.send_header("Location", f"{butler.url}/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    with serving(Handler) as port:
        butler.url = f"http://127.0.0.1:{port}"
        yield butler
