"""The database, asked by an event loop, however long it is away."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from common.batches import Batches, Threads
from common.database_retry import DATABASE_AWAY, DatabaseRetry
from orchestration.services import Ended, finalize, finish_many

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_THREADS = 4


class Database:
    """Runs services in threads. Whatever is asked of it may run twice."""

    def __init__(self) -> None:
        self._threads = Threads(_THREADS)
        self._finishes = Batches[Ended, bool](_finish, threads=1)
        self._retry = DatabaseRetry(logger)

    async def run(self, service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
        """Call a service with `now`, again and again while the database is away."""
        return await self._retry.run(lambda: self._threads.run(_at, service, *args, **options))

    async def finish(self, ended: Ended) -> bool:
        """Write down how an attempt ended, with others; whether it was heard."""
        return await self._retry.run(lambda: self._finishes.do(ended))

    async def close(self) -> None:
        """Let the threads end, and what they began."""
        for threads in (self._finishes, self._threads):
            await asyncio.to_thread(threads.close)


def _at(service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
    try:
        return service(*args, now=timezone.now(), **options)
    except DATABASE_AWAY:
        # What is left of it is of no use; the next call opens another one.
        connection.close()
        raise


def _finish(ended: list[Ended]) -> list[bool]:
    heard = _at(finish_many, ended)
    _at(finalize, attempts=[each.attempt for each in ended])
    return heard
