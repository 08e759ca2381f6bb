"""One call's connection: what is sent on it, and how it ends before its time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# The transport below the call, put there by the server: ASGI itself has no word for closing.
TRANSPORT = "sandbox.transport"
_GONE = "http.disconnect"

Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BrokenOff(Exception):
    """The connection is closed: the client went away, or the sandbox was asked to close it."""


class Connection:
    """Sends one answer. Every method but `body` ends in BrokenOff when nobody is there any more."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._transport = scope["extensions"][TRANSPORT]
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """All of the request's body."""
        parts = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == _GONE:
                raise BrokenOff
            parts.append(message["body"])
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def start(self, status: int, headers: Headers) -> None:
        """The status line and the headers."""
        await self._look()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, data: bytes) -> None:
        """A part of the body; others follow."""
        await self._look()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """The rest of the body."""
        await self._look()
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def cut(self) -> None:
        """Close the socket after what was sent so far: the peer sees that more was to come."""
        self._transport.close()
        await self.wait_until_gone()

    async def wait_until_gone(self) -> None:
        """Return never: the client goes away at some time."""
        while (await self._receive())["type"] != _GONE:
            pass
        raise BrokenOff

    async def pause(self, seconds: float) -> None:
        """Let time pass, as long as the client waits."""
        if seconds:
            try:
                await asyncio.wait_for(self.wait_until_gone(), seconds)
            except TimeoutError:
                return

    async def _look(self) -> None:
        if self._transport.is_closing():
            await self.wait_until_gone()
