"""Services called from an event loop, repeated while the database is unavailable."""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.db import connection

from common.batches import Batches, Threads
from common.database_clock import DatabaseClock
from common.database_retry import DATABASE_AWAY, DatabaseRetry
from orchestration.services import AttemptOutcome, finalize, finish_many, tell_of_skew

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_THREADS = 4


class Database:
    """Runs services in threads. A service may run twice, so it must allow repetition."""

    def __init__(self) -> None:
        self.clock = DatabaseClock()
        self._threads = Threads(_THREADS)
        self._finishing = Threads(1)
        self._finishes = Batches[AttemptOutcome, bool](
            partial(self._finishing.run, _finish, self.clock), at_once=1
        )
        self._retry = DatabaseRetry(logger)

    async def run(self, service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
        """Call a service with `now` by the database's clock, and repeat it while the database is
        unavailable."""
        return await self._retry.run(
            lambda: self._threads.run(_at, self.clock, service, *args, **options)
        )

    async def finish(self, outcome: AttemptOutcome) -> bool:
        """Record how an attempt ended, in a batch; False if another worker has the attempt."""
        return await self._retry.run(lambda: self._finishes.do(outcome))

    async def close(self) -> None:
        """Wait until the threads have finished what they started, then end them."""
        await self._finishes.finish()
        for threads in (self._finishing, self._threads):
            await asyncio.to_thread(threads.close)


def _at(clock: DatabaseClock, service: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
    try:
        if clock.refresh():
            tell_of_skew(clock.last, host=socket.gethostname(), now=clock.now())
        return service(*args, now=clock.now(), **options)
    except DATABASE_AWAY:
        # The broken connection is of no use; the next call opens another one.
        connection.close()
        raise


def _finish(clock: DatabaseClock, outcomes: list[AttemptOutcome]) -> list[bool]:
    accepted = _at(clock, finish_many, outcomes)
    _at(clock, finalize, attempts=[each.attempt for each in outcomes])
    return accepted
