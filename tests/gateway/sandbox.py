"""The sandbox provider as a process of its own, for tests and benchmarks; needs no Django."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class RunningSandbox:
    """`url`: without `/v1`. Its calls in the order in which they ended; faults to come."""

    def __init__(self, url: str) -> None:
        self.url = url

    def log(self, *, after: int = 0) -> list[dict[str, Any]]:
        """What a provider would bill, call after call."""
        return self._ask("GET", f"/sandbox/log?after={after}")

    def totals(self, *, by: str = "key") -> dict[str, dict[str, int]]:
        """Sums by key, route or model."""
        return self._ask("GET", f"/sandbox/totals?by={by}")

    def fault(self, *, key: str, times: int = 1, **directive: Any) -> None:
        """What the next calls of a key run into: `fault(key="nvidia-1", status=429, times=3)`."""
        self._ask("POST", "/sandbox/faults", {"key": key, "times": times, **directive})

    def under_way(self) -> int:
        """Calls that have come and are not over."""
        return self._ask("GET", "/healthz")["under_way"]

    def clear(self) -> None:
        """Forget calls and faults."""
        self._ask("DELETE", "/sandbox/log")
        self._ask("DELETE", "/sandbox/faults")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def running_sandbox(*arguments: str) -> Iterator[RunningSandbox]:
    """A sandbox on a free port; `arguments` as on its command line."""
    command = [sys.executable, "-m", "gateway.sandbox", "--port", "0", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert said, "the sandbox did not start"
        yield RunningSandbox(said.split()[-1])
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()
