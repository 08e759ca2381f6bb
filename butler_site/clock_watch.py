"""The clock of a web server's host: measured against that of the database, and told if it is wrong.

What the gateway and the API write goes by the database's clock (`common.database_clock.now`), so
that hosts whose clocks differ judge alike when a hold, a session or a task ends.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from common.batches import Threads
from common.database_clock import PROCESS_CLOCK
from common.database_retry import DATABASE_AWAY
from orchestration import services as orchestration

logger = logging.getLogger(__name__)

# The first measurement waits until the process has started.
_FIRST_SECONDS = 5
_MEASURED_EVERY_SECONDS = 31


@asynccontextmanager
async def clock_watched() -> AsyncIterator[None]:
    """Measure for the life of an event loop."""
    threads = Threads(1)
    watch = asyncio.create_task(_watch(threads))
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await asyncio.to_thread(threads.close)
        PROCESS_CLOCK.forget()


def look() -> None:
    """Measure, and raise the alert about this host or resolve it."""
    if PROCESS_CLOCK.refresh():
        orchestration.tell_of_skew(
            PROCESS_CLOCK.last, host=socket.gethostname(), now=PROCESS_CLOCK.now()
        )


async def _watch(threads: Threads) -> None:
    await asyncio.sleep(_FIRST_SECONDS)
    while True:
        try:
            await threads.run(look)
        except DATABASE_AWAY as error:
            logger.warning("The clock of this host will be looked at again: %s", error)
        except Exception:
            # Calls go on: they need the last measurement only.
            logger.exception("The clock of this host could not be compared with the database's.")
        await asyncio.sleep(_MEASURED_EVERY_SECONDS)
