"""Butler's own secrets as one process knows them, read again from time to time."""

import asyncio
import logging
from time import monotonic

from common.batches import Threads
from keys.own_secrets import OwnSecrets

logger = logging.getLogger(__name__)

_REBUILT_SECONDS = 60


class KnownSecrets:
    """A matcher that is a minute old at most; older only while the database is away."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._first = asyncio.Lock()
        self._matcher: OwnSecrets | None = None
        self._until = 0.0

    async def matcher(self) -> OwnSecrets:
        """The matcher. While one call has it rebuilt, the others go on with the one before."""
        if self._matcher is None:
            async with self._first:
                return self._matcher or await self._rebuilt()
        if self._until > monotonic():
            return self._matcher
        try:
            return await self._rebuilt()
        except Exception:
            logger.exception("Butler's own secrets could not be read; the earlier ones are used.")
            return self._matcher

    async def _rebuilt(self) -> OwnSecrets:
        self._until = monotonic() + _REBUILT_SECONDS
        self._matcher = await self._threads.run(OwnSecrets)
        return self._matcher
