"""The streams of live pages as an ASGI application: no thread waits for a browser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase

from common.request_body import Receive
from dashboard.live.admission import Admission, Scope, Send, asker
from dashboard.live.hub import Hub

PATH = "/live"
# Of one person in one process: more than anybody looks at, at once.
_PERSON_STREAMS_MAX = 20
# By what Django answers, unless it admits the person.
_REFUSALS = {
    400: (400, "The address is not that of a live page."),
    302: (401, "Sign in to see this page live."),
    403: (403, "You may not see this page."),
    404: (404, "There is no live page with this name."),
}
_FAILED = (503, "Live pages are temporarily unavailable. Please retry.")
_PROCESS_FULL = (503, "Too many live pages are open. Please retry.")
_PERSON_FULL = (429, f"You have {_PERSON_STREAMS_MAX} live pages open. Close one of them.")
_RETRY_SECONDS = b"30"


class Live:
    """Serves `GET /live`; open while `running`."""

    def __init__(self, get_response: Callable[[Any], HttpResponseBase]) -> None:
        self._ask = asker(get_response)
        self._open_hub: Hub | None = None
        self._requests = 0

    @staticmethod
    def serves(scope: Scope) -> bool:
        """Whether a request is for a stream."""
        return bool(scope["path"] == PATH and scope["method"] == "GET")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Live"]:
        """Open for the life of an event loop."""
        self._open_hub = Hub(self._ask)
        try:
            yield self
        finally:
            await self._open_hub.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._requests >= settings.LIVE_STREAMS_MAX:
            await _refuse(send, *_PROCESS_FULL)
            return
        self._requests += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._requests -= 1

    @property
    def _hub(self) -> Hub:
        if self._open_hub is None:
            raise RuntimeError("Pages are live only while the application is `running`.")
        return self._open_hub

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._hub.admit(scope)
        if not isinstance(answer, Admission):
            await _refuse(send, *_REFUSALS.get(answer.status_code, _FAILED))
        elif self._hub.streams_of(answer.person_id) >= _PERSON_STREAMS_MAX:
            await _refuse(send, *_PERSON_FULL)
        else:
            async with self._hub.joined(scope, answer) as stream:
                # The server calls it when it stops.
                scope["end_response"] = stream.end
                gone = asyncio.create_task(_disconnected(receive))
                gone.add_done_callback(lambda _: stream.end())
                try:
                    await send(_start(answer))
                    await stream.send_to(send)
                finally:
                    gone.cancel()


async def _disconnected(receive: Receive) -> None:
    """Return when the browser has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(answer: Admission) -> dict[str, Any]:
    # The length would be that of the answer to the question who may.
    headers = [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in answer.items()
        if name != "Content-Length"
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def _refuse(send: Send, status: int, sentence: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"retry-after", _RETRY_SECONDS),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
