"""Database work of an event loop: requests of the same moment share a batch; threads."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, Generic, TypeVar

from django.db import connection

from common.database_retry import DATABASE_AWAY, reconnecting

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Pool(ThreadPoolExecutor):
    """Threads that each keep a connection to the database, and close it when they end."""

    def __init__(self, threads: int, *, name: str) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._all = Barrier(threads)

    def close(self) -> None:
        """End all threads, after the work they have begun."""
        for _ in range(self._max_workers):
            self.submit(self._close_connection)
        self.shutdown(wait=True)

    def _close_connection(self) -> None:
        # Each thread takes one of these: none continues before all have arrived.
        self._all.wait()
        connection.close()


class Batches(Generic[Item, Answer]):
    """Calls `work` with the items that arrived while the batch before ran, at most `most` at once.

    Few large batches cost far less than many small ones, so one runs at a time. Only if it takes
    longer than `patience_seconds`, because it waits for a lock, the next one starts beside it; at
    most `at_once` run. `work` answers for each item in order; an answer that is an exception is
    raised for its item. If `work` itself raises, its items are tried one by one, and the error is
    raised for the item that causes it. `discard` gets the answers of items whose callers were
    cancelled. Use it from one event loop.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Awaitable[list[Any]]],
        *,
        at_once: int,
        most: int = 100,
        patience_seconds: float = 0.05,
        discard: Callable[[Any], object] = lambda answer: None,
    ) -> None:
        self._work, self._free, self._most = work, at_once, most
        self._discard = discard
        self._patience_seconds = patience_seconds
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._due = False
        self._under_way: set[asyncio.Task[list[Any]]] = set()
        # The batch that was started last, until another one may start, and that moment.
        self._running: asyncio.Task[list[Any]] | None = None
        self._patience: asyncio.TimerHandle | None = None

    async def do(self, item: Item) -> Answer:
        """Do the item with the next batch, and return its answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, answer))
        if not self._due:
            self._due = True
            # `call_soon` runs at the end of this tick, so all items of the tick share a batch.
            loop.call_soon(self._start)
        try:
            return await answer
        finally:
            # An error has this frame in its traceback. Through `answer`, they would keep each other
            # in memory, and all that the callers have, until garbage is collected.
            del answer

    async def finish(self) -> None:
        """Wait for the batches under way, and for those that wait for them."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _start(self) -> None:
        self._due = False
        if self._free and not self._running and (batch := self._next_batch()):
            loop = asyncio.get_running_loop()
            self._free -= 1
            self._running = loop.create_task(self._results([item for item, _ in batch]))
            self._under_way.add(self._running)
            self._running.add_done_callback(partial(self._finish, batch))
            self._patience = loop.call_later(self._patience_seconds, self._start_another)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        while self._waiting and len(batch) < self._most:
            entry = self._waiting.popleft()
            if not entry[1].done():  # Its caller was cancelled.
                batch.append(entry)
        return batch

    async def _results(self, items: list[Item]) -> list[Any]:
        try:
            return await self._work(items)
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised for its item
            # One item causes it; the others must still be done.
            if len(items) == 1:
                return [error]
            return [(await self._results([item]))[0] for item in items]

    def _start_another(self) -> None:
        self._running = None
        self._start()

    def _finish(
        self, batch: list[tuple[Item, asyncio.Future[Answer]]], done: asyncio.Task[list[Any]]
    ) -> None:
        self._free += 1
        self._under_way.discard(done)
        if done is self._running:
            self._running = None
            if self._patience:
                self._patience.cancel()
        error = done.exception()
        answers: list[Any] = [error] * len(batch) if error else done.result()
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting.done():
                self._discard(answer)
            elif isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
        self._start()


class Threads:
    """A few threads with connections of their own, for single pieces of work."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = _Pool(threads, name="database")

    async def run(self, work: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Call `work` in a thread."""
        loop = asyncio.get_running_loop()
        call = partial(work, *args, **kwargs)
        return await loop.run_in_executor(self._pool, reconnecting, call)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
