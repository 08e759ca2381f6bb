"""The database, asked by an event loop, however long it is away."""

import asyncio
import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from common.batches import Batches, Threads
from orchestration.services import Ended, account, finish_many

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_PAUSES_SECONDS = (0.1, 0.2, 0.5, 1, 2)
_THREADS = 4


class Database:
    """Runs services in threads. Whatever is asked of it may run twice."""

    def __init__(self) -> None:
        self._threads = Threads(_THREADS)
        self._finishes = Batches[Ended, bool](_finish, threads=1)
        self._said_at = 0.0

    async def run(self, service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
        """Call a service with `now`, again and again while the database is away."""
        return await self._patiently(lambda: self._threads.run(_at, service, *args, **options))

    async def finish(self, ended: Ended) -> bool:
        """Write down how an attempt ended, with others; whether it was heard."""
        return await self._patiently(lambda: self._finishes.do(ended))

    async def close(self) -> None:
        """Let the threads end, and what they began."""
        for threads in (self._finishes, self._threads):
            await asyncio.to_thread(threads.close)

    async def _patiently(self, ask: Callable[[], Any]) -> Any:
        for pause in chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1])):
            try:
                return await ask()
            except (OperationalError, InterfaceError) as error:
                self._say(error)
            await asyncio.sleep(pause)
        raise AssertionError("never reached")

    def _say(self, error: Exception) -> None:
        """Once a second: hundreds of attempts find it out at the same moment."""
        if time.monotonic() - self._said_at >= 1:
            self._said_at = time.monotonic()
            logger.warning("The database is away: %s", str(error).partition("\n")[0])


def _at(service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
    try:
        return service(*args, now=timezone.now(), **options)
    except (OperationalError, InterfaceError):
        # What is left of it is of no use; the next call opens another one.
        connection.close()
        raise


def _finish(ended: list[Ended]) -> list[bool]:
    heard = _at(finish_many, ended)
    _at(account, attempts=[each.attempt for each in ended])
    return heard
