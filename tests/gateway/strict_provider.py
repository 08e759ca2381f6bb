"""A provider that refuses some requests, with the words of real ones, and answers all others."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.http_server import QuietHandler, serving

Refuse = Callable[[dict[str, Any]], tuple[int, Any] | None]
_USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
_CHAT = {
    "id": "x",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ok"},
            "text": "ok",
            "finish_reason": "stop",
        }
    ],
    "usage": _USAGE,
}
_MESSAGE = {
    "id": "x",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 20, "output_tokens": 5},
}
_RESPONSE = {
    "id": "x",
    "object": "response",
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25},
}
_DELTA = {"index": 0, "delta": {"content": "ok"}, "text": "ok", "finish_reason": "stop"}
_CHUNKS = [{"choices": [_DELTA]}, {"choices": [], "usage": _USAGE}]


class StrictProvider:
    """`requests`: the bodies that came, in order; `headers`: of all answers, in addition."""

    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}
        self.base_url = ""


@contextmanager
def strict_provider(refuse: Refuse) -> Iterator[StrictProvider]:
    """A running provider. `refuse`: the status and body of a refusal of a request, or None."""
    provider = StrictProvider(refuse)

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            provider.requests.append(request)
            provider.paths.append(self.path)
            refusal = provider.refuse(request)
            status, body = refusal or (200, self._answer(request))
            stream = refusal is None and request.get("stream")
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            media_type = "text/event-stream" if stream else "application/json"
            for name, value in {"content-type": media_type, **provider.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def _answer(self, request: dict[str, Any]) -> Any:
            if self.path.endswith("/messages"):
                return _MESSAGE
            if self.path.endswith("/responses"):
                return _RESPONSE
            if request.get("stream"):
                lines = [*map(json.dumps, _CHUNKS), "[DONE]"]
                return "".join(f"data: {line}\n\n" for line in lines).encode()
            return _CHAT

    with serving(Handler) as port:
        provider.base_url = f"http://127.0.0.1:{port}/v1"
        yield provider
