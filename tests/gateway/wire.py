"""Providers that no sandbox can play: they break off below HTTP, or are not there at all."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: "
STREAM = _HEAD + b"text/event-stream\r\n\r\n"
WHOLE = _HEAD + b"application/json\r\n\r\n"


class Wire:
    """A provider that answers every request with the same bytes and hangs up, unless it is to
    `hold_open` the connection until the client closes it.

    `calls`: how many came; `last`: the body of the latest.
    """

    def __init__(self, answer: bytes, *, hold_open: bool = False) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer, self._hold_open = answer, hold_open
        self.calls, self.last = 0, b""
        self.base_url = _base_url(self._listening)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client:
                self.last = _read_request(client)
                self.calls += 1
                client.sendall(self._answer)
                if self._hold_open:
                    client.recv(1)


def _read_request(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65_536) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.splitlines()[1:] if line)
    while len(body) < int(lines.get(b"content-length", 0)):
        body += client.recv(65_536)
    return body


@contextmanager
def wired(answer: bytes, *, hold_open: bool = False) -> Iterator[Wire]:
    """A provider of its own."""
    wire = Wire(answer, hold_open=hold_open)
    try:
        yield wire
    finally:
        wire.close()


@contextmanager
def no_server() -> Iterator[str]:
    """A base address where connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = _base_url(server)
    yield address


@contextmanager
def no_answer() -> Iterator[str]:
    """A base address where connections are never made: the queue for them is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        try:
            yield _base_url(server)
        finally:
            for client in waiting:
                client.close()


def events(*each: Any) -> bytes:
    """Events of a stream; a message's have the name of their type."""
    return b"".join(_event(one) for one in each)


def _event(data: Any) -> bytes:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def _base_url(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/v1"
