"""Browsers that keep the overview open, in a thread: what they get, and how soon."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST_SECONDS_MAX = 300


class Dashboards:
    """Open streams. `first_byte_ms` is of each, in order; `messages` and `size` are of all."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        self.first_byte_ms: list[float] = []
        self.messages, self.size = 0, 0
        self._port, self._cookies = port, cookies
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        # A connection is closed when nothing refers to its writer any more.
        self._writers: list[asyncio.StreamWriter] = []

    async def _open(self, cookie: str, opened: asyncio.Semaphore) -> asyncio.StreamReader:
        async with opened:
            started_at = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writers.append(writer)
            head = (
                f"GET /live?page=overview HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
            )
            writer.write(head.encode())
            status = await reader.readline()
            self.first_byte_ms.append(1000 * (time.perf_counter() - started_at))
        if b" 200 " not in status:
            raise SystemExit(f"A stream was refused: {status.decode()}")
        return reader

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(2**16):
            self.size += len(piece)
            self.messages += piece.count(b"\nid: ") + piece.startswith(b"id: ")

    async def _run(self, is_open: threading.Event) -> None:
        # A person opens one page after the other, and so do four of them.
        opened = asyncio.Semaphore(4)
        readers = await asyncio.gather(*(self._open(each, opened) for each in self._cookies))
        is_open.set()
        reading = [asyncio.create_task(self._read(reader)) for reader in readers]
        await self._stop.wait()
        for task in reading:
            task.cancel()
        for writer in self._writers:
            writer.close()

    @contextmanager
    def open(self) -> Iterator["Dashboards"]:
        """Open all of them, and close them at the end."""
        is_open = threading.Event()
        thread = threading.Thread(
            target=self._loop.run_until_complete, args=[self._run(is_open)], daemon=True
        )
        thread.start()
        if not is_open.wait(_FIRST_SECONDS_MAX):
            raise SystemExit("The dashboards could not be opened.")
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
