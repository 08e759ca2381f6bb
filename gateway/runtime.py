"""What one process of the gateway shares among its calls: connections, threads, batches, memory."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from itertools import chain, repeat

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from common.batches import Batches, Threads
from gateway import bounds, upstream
from gateway.sessions import Sessions
from keys import services as keys

logger = logging.getLogger(__name__)

# Two of each, so that a batch that waits for somebody else's lock does not stop the others.
_HOLDING_THREADS = 2
_SETTLING_THREADS = 2
_STOPPING_SECONDS = 8
_PAUSES_SECONDS = (0.1, 0.5, 2, 5, 10)


class Office:
    """Opened when the event loop starts, closed when it ends."""

    def __init__(self) -> None:
        self.holds = Batches[keys.Wanted, keys.Held](
            _hold, threads=_HOLDING_THREADS, abandoned=self._abandon
        )
        self.settles = Batches[keys.Ending, keys.Ended](_settle, threads=_SETTLING_THREADS)
        self.threads = Threads()
        self.sessions = Sessions(self.threads)
        self.pool = upstream.session()
        # Days that exchanges are kept, by payers, and until when (monotonic) that is believed.
        self.retention: dict[tuple[str, ...], tuple[int, float]] = {}
        # Charges of calls that run; their holds must live on.
        self.running: set[int] = set()
        self._left_over: set[asyncio.Task] = set()
        self._renewing = asyncio.create_task(self._renew())
        # Takes a second, which the first call need not wait for.
        self.finish(asyncio.to_thread(bounds.load_tokenizers))

    async def end(self, ending: keys.Ending) -> keys.Ended:
        """Settle or release a charge, however long the database is away."""
        pauses = chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1]))
        while True:
            try:
                return await self.settles.do(ending)
            except (OperationalError, InterfaceError) as error:
                logger.warning("Charge %s is not settled yet: %s", ending.charge.pk, error)
            await asyncio.sleep(next(pauses))

    def give_back(self, held: keys.Held) -> asyncio.Task:
        """Release a hold that no call will be made for."""
        return self.finish(self.end(keys.Ending(held, "released")))

    def _abandon(self, answer: object) -> None:
        if isinstance(answer, keys.Held):
            self.give_back(answer)

    def finish(self, work: Coroutine) -> asyncio.Task:
        """See `work` through, whatever becomes of the call that asked for it."""
        task = asyncio.create_task(work)
        self._left_over.add(task)
        task.add_done_callback(self._left_over.discard)
        return task

    async def close(self) -> None:
        """Let what runs come to its end, settle it, and leave."""
        # Holds still under way were asked for by calls that were cancelled: they are given back.
        await asyncio.to_thread(self.holds.close)
        if self._left_over:
            await asyncio.wait(self._left_over, timeout=_STOPPING_SECONDS)
        self._renewing.cancel()
        with suppress(asyncio.CancelledError):
            await self._renewing
        await self.pool.close()
        for threads in (self.settles, self.threads):
            await asyncio.to_thread(threads.close)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(settings.HOLD_SECONDS / 4)
            if self.running:
                try:
                    await self.threads.run(_renew, list(self.running))
                except Exception:
                    # The next turn comes long before the holds are over.
                    logger.exception("The holds of running calls could not be renewed.")


def _hold(wanted: list[keys.Wanted]) -> list:
    keys.plan_for_calls()
    return keys.hold_many(wanted, now=timezone.now())


def _settle(endings: list[keys.Ending]) -> list[keys.Ended]:
    keys.plan_for_calls()
    return keys.end_many(endings, now=timezone.now())


def _renew(charges: list[int]) -> None:
    """The holds of these running calls live on."""
    keys.extend_holds(charges, ttl_seconds=settings.HOLD_SECONDS, now=timezone.now())
