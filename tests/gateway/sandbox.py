"""The sandbox provider as a process of its own, for tests and benchmarks; needs no Django."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
SPEAKING = [CHAT, RESPONSES, MESSAGES]


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


def request(route, text, **changes):
    """A request of a route, whose user says `text`."""
    said = [{"role": "user", "content": text}]
    body = {
        CHAT: {"messages": said},
        RESPONSES: {"input": said},
        MESSAGES: {"messages": said, "max_tokens": 1000},
        "/v1/embeddings": {"input": text},
        "/v1/messages/count_tokens": {"messages": said},
    }[route]
    return {"model": "m-1", **body, **changes}


def opened(sandbox, route, body, *, key="sandbox-ada", method="POST"):
    """The answer to a call, unread."""
    connection = HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, route, None if body is None else json.dumps(body), headers)
    return connection.getresponse()


def call(sandbox, route, text="Hello", **changes):
    """Status and body of an answer that is no stream."""
    with opened(sandbox, route, request(route, text, **changes)) as answer:
        return answer.status, json.load(answer)


def streamed(sandbox, route, text="Hello", **changes):
    """The data of every event of a stream, `[DONE]` left as it is."""
    with opened(sandbox, route, request(route, text, stream=True, **changes)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.read().decode().split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


def said(route, answer):
    """The text of an answer."""
    if route == CHAT:
        return answer["choices"][0]["message"]["content"]
    part = answer["output"][0] if route == RESPONSES else answer
    return part["content"][0]["text"]
