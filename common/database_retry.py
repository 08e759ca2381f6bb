"""When the database is away: which errors say so, and ask again until it is back."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection
from psycopg.errors import IdleInTransactionSessionTimeout, TransactionTimeout

Answer = TypeVar("Answer")

# What psycopg and Django raise for a server that is away, starting, stopping or too busy.
DATABASE_AWAY = (OperationalError, InterfaceError)
# If the connection is closed after one of these, a new one is worth a try. PostgreSQL closes that
# of a process which was stopped in a transaction for too long: psycopg calls it an internal error.
CONNECTION_CLOSED = (*DATABASE_AWAY, InternalError)
PAUSES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class DatabaseRetry:
    """Asks again while the database is away, for as long as that takes.

    A call may have been carried out although its answer was lost, so it must be safe to repeat. The
    pauses grow, and the last one repeats. `report` logs at most once a second: hundreds of callers
    notice at the same moment.
    """

    def __init__(
        self, logger: logging.Logger, *, pauses_seconds: Sequence[float] = PAUSES_SECONDS
    ) -> None:
        self._logger, self._pauses_seconds = logger, pauses_seconds
        self._reported_at = 0.0

    async def run(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call `ask` until the database is back, and return its result. Raises other errors."""
        last, failures = len(self._pauses_seconds) - 1, 0
        while True:
            try:
                return await ask()
            except DATABASE_AWAY as error:
                self.report(error)
            await asyncio.sleep(self._pauses_seconds[min(failures, last)])
            failures += 1

    def report(self, error: Exception) -> None:
        """Log the first line of the error, unless another one was logged within a second."""
        if time.monotonic() - self._reported_at >= 1:
            self._reported_at = time.monotonic()
            self._logger.warning("The database is away: %s", str(error).partition("\n")[0])


def reconnecting(work: Callable[..., Answer], *args: object) -> Answer:
    """Call `work`; once more on a new connection if the database had closed the old one.

    So `work` may run twice: what it writes needs an idempotency key.
    """
    try:
        return work(*args)
    except CONNECTION_CLOSED as error:
        if connection.in_atomic_block or not _is_connection_closed(error):
            raise
        connection.close()
        return work(*args)


def _is_connection_closed(error: Exception) -> bool:
    """Whether the database closed the connection; psycopg does not notice after some errors."""
    if isinstance(error.__cause__, (TransactionTimeout, IdleInTransactionSessionTimeout)):
        return True
    return connection.connection is not None and connection.connection.closed
