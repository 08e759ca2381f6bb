"""Work of threads, asked for by the event loop: what waits at the end of a tick shares a batch."""

import asyncio
from collections import deque
from collections.abc import Callable
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
        """Let all threads end; waits for what they do."""
        for _ in range(self._max_workers):
            self.submit(self._leave)
        self.shutdown(wait=True)

    def _leave(self) -> None:
        # Each takes one: nobody goes on before all of them are here.
        self._all.wait()
        connection.close()


class Batches(Generic[Item, Answer]):
    """Calls `work` with all that was asked for while the batch before ran, at most `most` at once.

    Few large batches cost far less than many small ones, so there is one at a time; only when it
    takes longer than `patience_seconds`, because it waits for somebody else's lock, another thread
    helps. `work` answers for each item in order; an answer that is an exception is raised where it
    was asked for. What `work` raises itself is raised only where it is asked for alone. An answer
    that nobody waits for any more is `abandoned`. Each thread keeps its own connection to the
    database. Used from one event loop.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], list[Answer]],
        *,
        threads: int,
        most: int = 100,
        patience_seconds: float = 0.05,
        abandoned: Callable[[Any], object] = lambda answer: None,
    ) -> None:
        self._work, self._free, self._most = work, threads, most
        self._abandoned = abandoned
        self._patience_seconds = patience_seconds
        self._pool = _Pool(threads, name=work.__name__)
        self._waiting: deque[tuple[Item, asyncio.Future]] = deque()
        self._due = False
        # The batch that was started last, while nobody may help, and when somebody may.
        self._running: asyncio.Future | None = None
        self._patience: asyncio.TimerHandle | None = None

    async def do(self, item: Item) -> Answer:
        """Have it done with the next batch."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((item, answer))
        if not self._due:
            self._due = True
            # At the end of this tick, so that all who ask in it share a batch.
            loop.call_soon(self._start)
        return await answer

    def close(self) -> None:
        """Let the threads end; nothing may be asked for any more."""
        self._pool.close()

    def _start(self) -> None:
        self._due = False
        if self._free and not self._running and (batch := self._next()):
            loop = asyncio.get_running_loop()
            self._free -= 1
            items = [item for item, _ in batch]
            self._running = loop.run_in_executor(self._pool, self._do, items)
            self._running.add_done_callback(partial(self._finish, batch))
            self._patience = loop.call_later(self._patience_seconds, self._help)

    def _next(self) -> list[tuple[Item, asyncio.Future]]:
        batch: list[tuple[Item, asyncio.Future]] = []
        while self._waiting and len(batch) < self._most:
            asked = self._waiting.popleft()
            if not asked[1].done():  # Or whoever asked was cancelled.
                batch.append(asked)
        return batch

    def _do(self, items: list[Item]) -> list[Any]:
        try:
            return reconnecting(self._work, items)
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            # One of them is to blame; the others must not suffer for it.
            return [error] if len(items) == 1 else [self._do([item])[0] for item in items]

    def _help(self) -> None:
        self._running = None
        self._start()

    def _finish(self, batch: list[tuple[Item, asyncio.Future]], done: asyncio.Future) -> None:
        self._free += 1
        if done is self._running:
            self._running = None
            self._patience.cancel()
        error = done.exception()
        answers: list[Any] = [error] * len(batch) if error else done.result()
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting.done():
                self._abandoned(answer)
            elif isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
        self._start()


class Threads:
    """A few threads with connections of their own, for what is asked for now and then."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = _Pool(threads, name="database")

    async def run(self, work: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Call `work` in a thread."""
        loop = asyncio.get_running_loop()
        call = partial(work, *args, **kwargs)
        return await loop.run_in_executor(self._pool, reconnecting, call)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.close()
