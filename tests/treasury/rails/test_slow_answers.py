"""A vendor that sends its answer drop by drop holds no worker for long."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import pytest

from treasury import vendor_calls
from treasury.rails.http import HttpClient, Request

LOCAL = (ip_network("127.0.0.0/8"),)


class Dripping(BaseHTTPRequestHandler):
    """Sends one byte after the other, each well before the time of silence is over."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(500 if self.path == "/cut" else 1000):
            try:
                self.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0 if self.path == "/cut" else 0.01)

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_answer_that_comes_too_slowly_is_no_answer(url, monkeypatch):
    monkeypatch.setattr(vendor_calls, "_SECONDS_MAX", 0.1)
    reply = HttpClient(url, networks=LOCAL).send(Request(method="GET", path="/"))
    assert (reply.status, reply.problem) == (None, "timeout")
    answer = vendor_calls.call("GET", url, headers={}, networks=LOCAL)
    assert (answer.status, answer.error) == (None, "Timeout")


def test_an_answer_that_breaks_off_is_no_answer(url):
    reply = HttpClient(url, networks=LOCAL).send(Request(method="GET", path="/cut"))
    assert (reply.status, reply.problem) == (None, "no_connection")
