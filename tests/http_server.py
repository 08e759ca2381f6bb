"""Small servers in threads: providers and others that Butler calls in tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread

# The standard library looks twice a second whether to stop.
_LOOKS_SECONDS = 0.005


class QuietHandler(BaseHTTPRequestHandler):
    """Writes no log."""

    def log_message(self, *said: object) -> None:
        return


@contextmanager
def serving(
    handler: type[BaseRequestHandler], *, kind: type[TCPServer] = ThreadingHTTPServer
) -> Iterator[int]:
    """A server on a free port of this machine; the port."""
    with kind(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[_LOOKS_SECONDS], daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
