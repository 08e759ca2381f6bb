"""Load over HTTP: a small client on asyncio streams, closed loops and one open loop."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

_WARM_UP_SECONDS = 0.5


class Request(NamedTuple):
    """What one call sends: path, agent token, body."""

    path: str
    token: str
    body: dict[str, Any]


class Measured(NamedTuple):
    """Answers per second, the 50th and 99th percentile in milliseconds, and statuses seen."""

    per_second: float
    p50_ms: float
    p99_ms: float
    statuses: dict[int, int]


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: Request) -> tuple[int, bytes]:
        """Send one request; its status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = json.dumps(request.body).encode()
        head = f"POST {request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Authorization: Bearer {request.token}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(headers.split("content-length:")[1].split("\r\n")[0])
        answer = await reader.readexactly(length)
        if "connection: close" in headers:
            writer.close()
            self._streams = None
        return int(headers.split(" ")[1]), answer


def closed_loop(
    port: int, ask: Callable[[int], Request], *, clients: int, seconds: float
) -> Measured:
    """`clients` callers, each asking again as soon as it was answered."""
    return asyncio.run(_closed_loop(port, ask, clients, seconds))


def open_loop(
    port: int, ask: Callable[[int], Request], *, per_second: int, seconds: float
) -> Measured:
    """Requests at a fixed rate, whether or not earlier ones were answered."""
    return asyncio.run(_open_loop(port, ask, per_second, seconds))


async def _closed_loop(
    port: int, ask: Callable[[int], Request], clients: int, seconds: float
) -> Measured:
    begin = time.perf_counter() + _WARM_UP_SECONDS
    durations: list[tuple[int, float]] = []

    async def caller(number: int) -> None:
        connection = Connection(port)
        while (start := time.perf_counter()) < begin + seconds:
            status, _ = await connection.post(ask(number))
            if start >= begin:
                durations.append((status, time.perf_counter() - start))

    await asyncio.gather(*(caller(number) for number in range(clients)))
    return _figures(durations, seconds)


async def _open_loop(
    port: int, ask: Callable[[int], Request], per_second: int, seconds: float
) -> Measured:
    # The longest unused first, so that none is idle until the server closes it.
    free = deque(Connection(port) for _ in range(50))
    durations: list[tuple[int, float]] = []

    async def ask_once(number: int, due: float) -> None:
        connection = free.popleft() if free else Connection(port)
        status, _ = await connection.post(ask(number))
        free.append(connection)
        # From when it was due, so that waiting for us counts too.
        durations.append((status, time.perf_counter() - due))

    begin, tasks = time.perf_counter(), []
    for number in range(int(per_second * seconds)):
        due = begin + number / per_second
        await asyncio.sleep(max(0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask_once(number, due)))
    await asyncio.gather(*tasks)
    return _figures(durations, seconds)


def _figures(durations: list[tuple[int, float]], seconds: float) -> Measured:
    times = sorted(1000 * duration for _, duration in durations)
    statuses: dict[int, int] = {}
    for status, _ in durations:
        statuses[status] = statuses.get(status, 0) + 1
    return Measured(
        len(times) / seconds,
        times[len(times) // 2],
        times[min(len(times) - 1, len(times) * 99 // 100)],
        statuses,
    )
