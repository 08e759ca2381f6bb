"""One call's connection: send on it, or close it early."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# The key of the transport below the call, which the server provides: ASGI cannot close it.
TRANSPORT = "sandbox.transport"
_DISCONNECT = "http.disconnect"

Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ConnectionClosed(Exception):
    """The connection is closed, by the client or because the sandbox was asked to close it."""


class Connection:
    """Sends one answer. Every method raises ConnectionClosed when the client has gone."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._transport = scope["extensions"][TRANSPORT]
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """The whole body of the request."""
        parts: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == _DISCONNECT:
                raise ConnectionClosed
            parts.append(message["body"])
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and the headers."""
        await self._check_open()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, data: bytes) -> None:
        """Send a part of the body; others follow."""
        await self._check_open()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the rest of the body."""
        await self._check_open()
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def cut(self) -> None:
        """Close the socket after what was sent so far: the client sees an incomplete answer."""
        self._transport.close()
        await self.wait_until_gone()

    async def wait_until_gone(self) -> None:
        """Wait until the client goes away; never returns."""
        while (await self._receive())["type"] != _DISCONNECT:
            pass
        raise ConnectionClosed

    async def pause(self, seconds: float) -> None:
        """Pause, for as long as the client waits."""
        if seconds:
            try:
                await asyncio.wait_for(self.wait_until_gone(), seconds)
            except TimeoutError:
                return

    async def _check_open(self) -> None:
        if self._transport.is_closing():
            await self.wait_until_gone()
