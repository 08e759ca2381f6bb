"""The output of a child process: its beginning and its end, in bounded memory."""

import asyncio
import os

_PIECE_OF_SECRET_MIN = 8


class OutputCapture(asyncio.Protocol):
    """The reading end of a pipe: keeps `most` bytes, half of them the first and half the last.

    `closed` is set when no process has the writing end open; `cut`: how many bytes are missing.
    """

    def __init__(self, most: int) -> None:
        self._head_most, self._tail_most = most // 2, most - most // 2
        self._head, self._tail = bytearray(), bytearray()
        self.size = 0
        self.closed = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def open(cls, most: int) -> tuple["OutputCapture", int]:
        """A capture, and the writing end of its pipe, which the caller closes."""
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        _, captured = await loop.connect_read_pipe(
            lambda: cls(most), os.fdopen(reading, "rb", buffering=0)
        )
        return captured, writing

    @property
    def cut(self) -> int:
        """How many bytes from the middle were not kept."""
        return self.size - len(self._head) - len(self._tail)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the pipe is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep the first bytes, and the latest ones, which may be the end."""
        self.size += len(data)
        room = self._head_most - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > self._tail_most:
            del self._tail[: -self._tail_most]

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio when the writers have closed the pipe, or `close` was called."""
        self.closed.set()

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()

    def text(self, *, secret: str) -> str:
        """The kept output, with a note of how much is left out.

        A part of `secret` beside the cut is removed.
        """
        if not self.cut:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = self._head.decode("utf-8", "replace")
        tail = self._tail.decode("utf-8", "replace")
        for length in range(len(secret) - 1, _PIECE_OF_SECRET_MIN - 1, -1):
            head = head.removesuffix(secret[:length])
            tail = tail.removeprefix(secret[-length:])
        return f"{head}\n[… {self.cut:,} bytes are left out …]\n{tail}"

    def end(self, *, secret: str) -> str:
        """The last 2,000 characters of the output."""
        return self.text(secret=secret)[-2_000:]
