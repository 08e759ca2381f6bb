"""The load, in a process of its own: a bare `asyncio.Protocol` client, closed and open loops.

`python -m bench.gateway.load` reads one `Load` as JSON after the other, a line each. For each it
writes `begin` and `end` when what is counted begins and ends, then one line with what it measured.
"""

import asyncio
import gc
import itertools
import sys
import time
from array import array
from collections import Counter, deque
from typing import cast

import msgspec
import uvloop

_SILENCE_SECONDS = 60


class Load(msgspec.Struct):
    """What to do. `tokens` take turns; with each, the one of `paths` in its place, else `path`.
    Closed loop: `clients` at once, for `seconds` or `calls`; open loop: `per_second` calls for
    `seconds`, however late the answers are."""

    port: int
    path: str
    body: str
    tokens: list[str]
    clients: int = 1
    seconds: float = 0
    calls: int = 0
    per_second: float = 0
    warm_up_seconds: float = 0.5
    paths: list[str] = []


class Measured(msgspec.Struct):
    """The result: milliseconds of each percentile, calls by HTTP status (0: cut or silent),
    seconds of the load's own CPU. An open loop's times count from when a call was due."""

    per_second: float
    calls: int
    p50: float
    p95: float
    p99: float
    statuses: dict[int, int]
    cpu_seconds: float


class Connection(asyncio.Protocol):
    """One keep-alive connection, one call at a time."""

    def __init__(self) -> None:
        self._came, self._missing = b"", -1
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the calls."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """A call in flight is lost: status 0."""
        self._transport = None
        if self._answer and not self._answer.done():
            self._answer.set_result(0)

    @property
    def is_open(self) -> bool:
        """Whether the other end still listens."""
        return self._transport is not None

    def call(self, request: bytes) -> asyncio.Future[int]:
        """Send a request; the result is the status of its answer, once that is complete."""
        if self._transport is None:
            raise ConnectionError("The other end has closed the connection.")
        self._came, self._missing = b"", -1
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Look for the end: so many bytes, or the last chunk."""
        if self._missing == -1:
            self._came += data
            end = self._came.find(b"\r\n\r\n")
            if end < 0:
                return
            length = self._came[:end].lower().partition(b"content-length:")[2]
            self._missing = int(length.split(b"\r\n", 1)[0]) if length else -2
            data = self._came[end + 4 :]
            self._came = self._came[:12] + data[-8:]
        elif self._missing == -2:
            self._came = self._came[:12] + (self._came[12:] + data)[-8:]
        if self._missing >= 0:
            self._missing -= len(data)
        over = self._missing == 0 or (self._missing == -2 and self._came.endswith(b"0\r\n\r\n"))
        if over and self._answer:
            self._answer.set_result(int(self._came[9:12]))


class _Run:
    """One measurement while it happens."""

    def __init__(self, load: Load) -> None:
        self.load = load
        paths = load.paths or [load.path] * len(load.tokens)
        self.requests = itertools.cycle(
            [_request(load, *each) for each in zip(load.tokens, paths, strict=True)]
        )
        self.begin = time.perf_counter() + load.warm_up_seconds
        self.until = self.begin + load.seconds
        self.left = load.calls
        self.times = array("d")
        self.statuses: Counter[int] = Counter()
        self.cpu, self.ended = 0.0, 0.0

    async def connection(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, "127.0.0.1", self.load.port
        )
        return connection

    async def caller(self) -> None:
        """One client of a closed loop."""
        connection = await self.connection()
        while self._continues(start := time.perf_counter()):
            self.count(await connection.call(next(self.requests)), start)
            if not connection.is_open:
                connection = await self.connection()

    def _continues(self, now: float) -> bool:
        self.left -= 1
        return self.left >= 0 if self.load.calls else now < self.until

    def count(self, status: int, start: float) -> None:
        """Count a call whose answer came in time; also one that began during the warm-up, because
        the servers' CPU is counted by time, too."""
        now = time.perf_counter()
        if now >= self.begin and not self.ended:
            self.times.append(now - start)
            self.statuses[status] += 1

    async def print_begin(self) -> None:
        await asyncio.sleep(self.begin - time.perf_counter())
        self.cpu = time.process_time()
        print("begin", flush=True)  # noqa: T201

    async def print_begin_and_end(self) -> None:
        await self.print_begin()
        if not self.load.calls:
            await asyncio.sleep(self.until - time.perf_counter())
            self.end()

    def end(self) -> None:
        self.ended = time.perf_counter()
        self.cpu = time.process_time() - self.cpu
        print("end", flush=True)  # noqa: T201

    def result(self) -> Measured:
        """What the load came to, in milliseconds and calls per second."""
        times = sorted(1000 * seconds for seconds in self.times)
        p50, p95, p99 = (
            times[int((len(times) - 1) * share)] if times else 0.0 for share in (0.5, 0.95, 0.99)
        )
        return Measured(
            per_second=len(times) / (self.ended - self.begin),
            calls=len(times),
            p50=p50,
            p95=p95,
            p99=p99,
            statuses=dict(self.statuses),
            cpu_seconds=self.cpu,
        )


async def _closed_loop(run: _Run) -> None:
    callers = (run.caller() for _ in range(run.load.clients))
    await asyncio.gather(run.print_begin_and_end(), *callers)
    if run.load.calls:
        run.end()


async def _open_loop(run: _Run) -> None:
    # The longest unused first, so that none is idle until the server closes it.
    free, tasks = deque([await run.connection() for _ in range(run.load.clients)]), set()

    async def call_once(due: float) -> None:
        connection = free.popleft() if free else await run.connection()
        status = await connection.call(next(run.requests))
        run.count(status, due)
        free.append(connection if connection.is_open else await run.connection())

    await run.print_begin()
    for number in range(int(run.load.per_second * run.load.seconds)):
        due = run.begin + number / run.load.per_second
        await asyncio.sleep(max(0, due - time.perf_counter()))
        task = asyncio.create_task(call_once(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.wait(tasks, timeout=_SILENCE_SECONDS)
    run.end()


def _request(load: Load, token: str, path: str) -> bytes:
    body = load.body.encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _measure(load: Load) -> Measured:
    run = _Run(load)
    work = _open_loop(run) if load.per_second else _closed_loop(run)
    await asyncio.wait_for(work, _SILENCE_SECONDS + load.seconds + load.calls / 20)
    return run.result()


def main() -> None:
    """Measure until standard input ends."""
    gc.disable()
    for line in sys.stdin:
        measured = uvloop.run(_measure(msgspec.json.decode(line, type=Load)))
        print(msgspec.json.encode(measured).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
