"""The web server as `manage.py up` runs it, on the benchmark's database."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from butler_site.management.commands import up


@contextmanager
def running() -> Iterator[int]:
    """The port of a web server that answers; it is stopped afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, *up.web_server("127.0.0.1", port)]
    process = subprocess.Popen(command, env=up.environ() | {"PORT": str(port)})  # noqa: S603
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - our own address
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{address} did not answer within a minute (process {os.getpid()}).")
