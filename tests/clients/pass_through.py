"""A pass-through in front of the gateway that changes no byte and lists the requests it sees."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httptools


class _Requests:
    """Reads one connection's bytes as a server would, for their requests alone."""

    def __init__(self, seen: list[str]) -> None:
        self._seen, self._url = seen, b""
        self._parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, piece: bytes) -> None:
        self._url += piece

    def on_headers_complete(self) -> None:
        self._seen.append(f"{self._parser.get_method().decode()} {self._url.decode()}")

    def read(self, piece: bytes) -> None:
        self._parser.feed_data(piece)


class PassThrough:
    """`url` leads to the gateway; `requests`: every request that came, as `POST /v1/messages`."""

    def __init__(self, url: str, host: str, port: int) -> None:
        self.url = url
        self.requests: list[str] = []
        self._host, self._port = host, port

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, until either end closes it."""
        from_butler, to_butler = await asyncio.open_connection(self._host, self._port)
        there = asyncio.create_task(_pump(reader, to_butler, _Requests(self.requests).read))
        back = asyncio.create_task(_pump(from_butler, writer, bytes))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for end in (there, back):
            end.cancel()
        writer.close()
        to_butler.close()


async def _pump(reader, writer, look) -> None:
    try:
        while piece := await reader.read(65_536):
            look(piece)
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        return


@contextmanager
def pass_through(host: str, port: int) -> Iterator[PassThrough]:
    """A pass-through to an address, on a port of its own, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    counted = PassThrough("", host, port)
    server = _in(loop, asyncio.start_server(counted.connected, "127.0.0.1", 0))
    counted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield counted
    finally:
        # In its own thread: a connection that ends there at this moment wakes the same waiters.
        _in(loop, _close(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _in(loop, work):
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=10)


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
