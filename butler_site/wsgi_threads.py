"""A WSGI application behind the event loop, in threads.

Each hand-over between a thread and the loop wakes the other, which takes longer than most of what a
request does. So a whole answer goes back in one piece; only the parts of a long one are handed over
one by one, each when the one before was sent.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

from a2wsgi.wsgi import build_environ

Send = Callable[[dict[str, Any]], Awaitable[None]]


class WsgiThreads:
    """Runs `application` in so many `threads`."""

    def __init__(self, application: Any, *, threads: int) -> None:
        self._application = application
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="WSGI")

    async def __call__(self, scope: dict[str, Any], body: bytes, send: Send) -> None:
        """Answer one HTTP request, whose body has been read."""
        loop = asyncio.get_running_loop()
        answer = _Answer(lambda message: _send_from_thread(loop, send(message)))
        environ: dict[str, Any] = build_environ(scope, BytesIO(body))  # type: ignore[arg-type, assignment]
        context = contextvars.copy_context()
        work = partial(context.run, answer.make, self._application, environ)
        if (whole := await loop.run_in_executor(self._executor, work)) is not None:
            await send(answer.head)
            await send({"type": "http.response.body", "body": whole})


class _Answer:
    """One answer while a thread makes it. `head`: its status and headers, as ASGI has them."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self.head: dict[str, Any] = {}

    def make(self, application: Any, environ: dict[str, Any]) -> bytes | None:
        """The body of a whole answer; None if it is one of many parts, which are sent."""
        answer = application(environ, self._start)
        try:
            if not getattr(answer, "streaming", True):
                return b"".join(answer)
            self._send(self.head)
            for part in answer:
                self._send({"type": "http.response.body", "body": part, "more_body": True})
            self._send({"type": "http.response.body", "body": b""})
            return None
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def _start(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        """WSGI's `start_response`."""
        self.head = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                (name.strip().encode("latin1").lower(), value.strip().encode("latin1"))
                for name, value in headers
            ],
        }


def _send_from_thread(loop: asyncio.AbstractEventLoop, sending: Any) -> None:
    asyncio.run_coroutine_threadsafe(sending, loop).result()
