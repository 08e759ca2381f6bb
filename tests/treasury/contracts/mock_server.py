"""Steady: a mock server that serves a vendor's OpenAPI document and checks each request."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.threads import wait_until
from tests.treasury.contracts.conftest import STEADY
from tests.treasury.contracts.documents import SPECS

# As Stripe writes nested fields; documents in JSON have none.
_BRACKETS = [
    f"--validator-{where}-{kind}-format=brackets"
    for where in ("form", "query")
    for kind in ("array", "object")
]


class MockServer:
    """A running mock server. `diagnostics` are what it says against each request, in order."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self._log = url, log

    def diagnostics(self) -> list[str]:
        """What it says against requests, as `POST /v1/refunds: Missing required property`."""
        found = []
        for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith('{"type":"request"'):
                entry = json.loads(line)
                asked = entry["request"]
                found += [
                    f"{asked['method']} {asked['path']}: {each['message']}"
                    for each in entry.get("diagnostics") or []
                ]
        return found


@contextmanager
def mock_server(name: str, folder: Path) -> Iterator[MockServer]:
    """A mock server of the cut document of a vendor; `folder` gets its log."""
    port, log = _free_port(), folder / f"{name}.log"
    command = [STEADY, "--host", "127.0.0.1", "-p", str(port), "--log-format=json", *_BRACKETS]
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - of this file
            [*command, SPECS / f"{name}.json"],
            stdout=output,
            stderr=subprocess.STDOUT,
            # It is a script that starts a program: both are ended.
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), seconds=30)
            yield MockServer(url, log)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/_x-steady/health", timeout=1).ok
    except requests.RequestException:
        return False
