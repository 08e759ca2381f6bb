"""End running calls that a freeze stops.

PostgreSQL tells every process of a freeze, and each process also looks once a second, with the
connection that listens. So a lost connection is noticed within seconds, and the look with the next
one finds what was not heard.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from common.async_connection import LOST, AsyncConnection, connect
from keys.books.queries.freezes import FREEZE_CHANNEL, cut_charges
from keys.refusals import Frozen

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1
# A look that takes longer is tried again with another connection.
_LOOK_SECONDS_MAX = 2


class FreezeWatch:
    """The calls of one process that run, by their charges."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Timeout] = {}
        self._scopes: dict[int, str] = {}
        self._task = asyncio.create_task(self._run())

    @asynccontextmanager
    async def watch(self, charge: int) -> AsyncIterator[None]:
        """Raises Frozen within the block, as soon as a freeze ends the call with this charge."""
        try:
            async with asyncio.timeout(None) as running:
                self._running[charge] = running
                yield
        except TimeoutError:
            if scope := self._scopes.get(charge):
                raise Frozen(scope=scope) from None
            raise
        finally:
            self._running.pop(charge, None)
            self._scopes.pop(charge, None)

    async def close(self) -> None:
        """Stop watching."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                async with await connect() as listener:
                    await self._listen(listener)
            except LOST as error:
                logger.warning("Freezes are looked for again in a second: %s", error)
                await asyncio.sleep(_LOOK_SECONDS)

    async def _listen(self, listener: AsyncConnection) -> None:
        await listener.execute(f"LISTEN {FREEZE_CHANNEL}")
        while True:
            async with asyncio.timeout(_LOOK_SECONDS_MAX):
                await self._cut(listener)
            async for _ in listener.notifies(timeout=_LOOK_SECONDS, stop_after=1):
                pass

    async def _cut(self, listener: AsyncConnection) -> None:
        """End the running calls of what is frozen."""
        if not self._running:
            return
        now = asyncio.get_running_loop().time()
        for charge, scope in await cut_charges(listener, self._running):
            # It is ended once.
            if running := self._running.pop(charge, None):
                self._scopes[charge] = scope
                running.reschedule(now)
