"""A transport that sends together what is written in one turn of the event loop.

uvicorn writes the head of an answer, its body and its end one after the other, and each write is a
system call that wakes the client up.
"""

import asyncio
from typing import Any

# What may wait for the end of the turn: more is sent at once, so that the transport says in time
# that its client is slow.
_WAITING_BYTES_MAX = 65_536


class JoinedWrites:
    """Wraps the transport of one connection; everything but writing is that transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn, or at once if much waits."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _WAITING_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """Close the connection when all that was written is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if not waiting or self._transport.is_closing():
            return
        if len(waiting) == 1:
            self._transport.write(waiting[0])
        else:
            self._transport.writelines(waiting)
