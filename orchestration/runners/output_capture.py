"""What a child prints, its beginning and its end, however much it is."""

import asyncio
import os

_PIECE_OF_SECRET_MIN = 8


class Captured(asyncio.Protocol):
    """The reading end of a pipe: keeps the first and the last `most / 2` bytes.

    `closed` is set when nobody has the writing end any more; `cut` says how many bytes are missing.
    """

    def __init__(self, most: int) -> None:
        self._half = max(most // 2, 1)
        self._head, self._tail = bytearray(), bytearray()
        self.size = 0
        self.closed = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def open(cls, most: int) -> tuple["Captured", int]:
        """A capture, and the writing end of its pipe, which the caller closes."""
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        _, captured = await loop.connect_read_pipe(
            lambda: cls(most), os.fdopen(reading, "rb", buffering=0)
        )
        return captured, writing

    @property
    def cut(self) -> int:
        """How many bytes of the middle were not kept."""
        return self.size - len(self._head) - len(self._tail)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what belongs to the beginning, then what may be the end."""
        self.size += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > self._half:
            del self._tail[: -self._half]

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody writes any more, or nobody wants to read any more."""
        self.closed.set()

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.close()

    def text(self, *, secret: str) -> str:
        """What was kept, with a word of what was not; a `secret` cut in two does not show."""
        if not self.cut:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = self._head.decode("utf-8", "replace")
        tail = self._tail.decode("utf-8", "replace")
        for length in range(len(secret) - 1, _PIECE_OF_SECRET_MIN - 1, -1):
            head = head.removesuffix(secret[:length])
            tail = tail.removeprefix(secret[-length:])
        return f"{head}\n[… {self.cut:,} bytes are left out …]\n{tail}"

    def end(self, *, secret: str) -> str:
        """The last of what was printed."""
        return self.text(secret=secret)[-2_000:]
