"""What the calls of one process share: connections, threads, batches and caches."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from itertools import chain, repeat
from typing import Any, TypeVar

from django.conf import settings

from common import database_clock
from common.batches import Batches, Threads
from common.database_retry import DatabaseRetry
from common.loop_connections import LoopConnections
from common.refusal import Refusal
from gateway import bounds, services, upstream
from gateway.agent_calls import AgentCalls
from gateway.answer_lengths import AnswerLengths
from gateway.counts.known import KnownCounts
from gateway.freeze_watch import FreezeWatch
from gateway.hold_queue import HoldQueue
from gateway.known_secrets import KnownSecrets
from gateway.large_bodies import LargeBodies
from gateway.learned import Lessons
from gateway.remembered_refusals import RememberedRefusals
from gateway.repeated_input import RepeatedInput
from gateway.sessions import Sessions
from keys import services as keys
from keys.models import Charge

Result = TypeVar("Result")
logger = logging.getLogger(__name__)

# Batches of each, so that one that waits for another transaction's lock does not stop the others.
_HOLDING_AT_ONCE = 2
_SETTLING_AT_ONCE = 2
_STOPPING_SECONDS = 8
# Between two times that samples of repeated input are stored.
_STORED_SECONDS = 60
_PAUSES_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0)


class Runtime:
    """Opened when the event loop starts, closed when it ends."""

    def __init__(self) -> None:
        self._connections = LoopConnections(
            _HOLDING_AT_ONCE + _SETTLING_AT_ONCE, settings=keys.SETTINGS_FOR_CALLS
        )
        self.holds = Batches[keys.HoldRequest, keys.HoldResult](
            self._hold_batch, at_once=_HOLDING_AT_ONCE, discard=self._release_unclaimed
        )
        self.hold_queue = HoldQueue()
        self.agent_calls = AgentCalls()
        self.large_bodies = LargeBodies()
        self.threads = Threads()
        self.freezes = FreezeWatch()
        self.sessions = Sessions(self.threads)
        self.known_secrets = KnownSecrets(self.threads)
        self.pool = upstream.connection_pool()
        self.lessons = Lessons()
        self.answer_lengths = AnswerLengths()
        self.remembered_refusals = RememberedRefusals()
        self.counts = KnownCounts()
        self.repeated_input = RepeatedInput(self.threads)
        # By the cost centres that pay: the days that exchanges are kept, and until when (monotonic)
        # that is valid.
        self.retention: dict[tuple[str, ...], tuple[int, float]] = {}
        # Charges of calls under way, whose holds must not expire.
        self.running_charges: set[int] = set()
        self._settlements = Batches[keys.Settlement, keys.SettlementResult](
            self._settle_batch, at_once=_SETTLING_AT_ONCE
        )
        self._settling_threads = Threads(_SETTLING_AT_ONCE)
        self._retry = DatabaseRetry(logger, pauses_seconds=_PAUSES_SECONDS)
        self._detached: set[asyncio.Task[Any]] = set()
        self._renewal = asyncio.create_task(self._renew_holds())
        self._storing = asyncio.create_task(self._store_samples())
        # Takes a second, which the first call need not wait for.
        self.run_detached(asyncio.to_thread(bounds.load_tokenizers))

    async def settle(self, ending: keys.Settlement) -> keys.SettlementResult | None:
        """Settle or release a charge, however long the database is away.

        None: it failed for another reason. An alert says so, and it is tried again until it
        succeeds or this process ends; then the hold expires and is charged in full.
        """
        try:
            return await self._settle(ending)
        except Exception as error:  # noqa: BLE001 - it is reported, and the call must be paid
            self._report_failure(ending, error)
            self.run_detached(self._settle_later(ending))
            return None

    async def _settle(self, ending: keys.Settlement) -> keys.SettlementResult:
        result = await self._retry.run(lambda: self._settlements.do(ending))
        self.sessions.note_used(ending.charge.allocation_id, result.used)
        self.running_charges.discard(ending.charge.pk)
        self.hold_queue.wake(ending.charge.allocation_id)
        return result

    async def _settle_later(self, ending: keys.Settlement) -> None:
        for pause_seconds in chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1])):
            await asyncio.sleep(pause_seconds)
            try:
                await self._settle(ending)
            except Exception as error:  # noqa: BLE001 - likewise
                self._report_failure(ending, error)
            else:
                return

    def _report_failure(self, ending: keys.Settlement, error: Exception) -> None:
        charge = ending.charge
        logger.error("Charge %s could not be settled.", charge.pk, exc_info=error)
        self.run_detached(
            self.threads.run(
                services.report_failed_settlement,
                charge_id=charge.pk,
                key_id=charge.api_key_id,
                error=type(error).__name__,
                now=database_clock.now(),
            )
        )

    async def _hold_batch(self, requests: list[keys.HoldRequest]) -> list[Any]:
        return await self._connections.run(keys.holding(requests, now=database_clock.now()))

    async def _settle_batch(self, endings: list[keys.Settlement]) -> list[Any]:
        results = await self._connections.run(keys.end_plain(endings, now=database_clock.now()))
        if None in results:
            # What follows is the work of services that block.
            return await self._settling_threads.run(_end_rest, endings, results)
        return results

    async def hold_as_guest(self, request: keys.HoldRequest) -> keys.HoldResult:
        """Hold for a call on another key than the session's; released if nobody waits for it."""
        work = self.run_detached(
            self.threads.run(keys.hold_as_guest, request, now=database_clock.now())
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(
                lambda done: self._release_unclaimed(done.exception() or done.result())
            )
            raise

    def release(self, hold: keys.HoldResult) -> asyncio.Task[keys.SettlementResult | None]:
        """Release a hold that no call will be made for."""
        return self.run_detached(self.settle(keys.Settlement(hold, Charge.Status.RELEASED)))

    def _release_unclaimed(self, answer: keys.HoldResult | Refusal | BaseException) -> None:
        if isinstance(answer, keys.HoldResult):
            self.release(answer)

    def run_detached(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Run `work` to its end, even if the call that started it is cancelled."""
        task = asyncio.create_task(work)
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)
        return task

    async def close(self) -> None:
        """Wait for the work under way, settle it, and close all connections."""
        # Holds still under way belong to calls that were cancelled: they are released.
        await self.holds.finish()
        if self._detached:
            await asyncio.wait(self._detached, timeout=_STOPPING_SECONDS)
        await self.freezes.close()
        for task in (self._renewal, self._storing):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.repeated_input.flush()
        await self.pool.close()
        await self._settlements.finish()
        await self._connections.close()
        await asyncio.to_thread(self._settling_threads.close)
        await asyncio.to_thread(self.threads.close)
        await asyncio.to_thread(self.large_bodies.close)

    async def _store_samples(self) -> None:
        while True:
            await asyncio.sleep(_STORED_SECONDS)
            await self.repeated_input.flush()

    async def _renew_holds(self) -> None:
        while True:
            await asyncio.sleep(settings.HOLD_SECONDS / 4)
            if self.running_charges:
                try:
                    await self.threads.run(_extend_holds, list(self.running_charges))
                except Exception:
                    # The next turn comes long before the holds expire.
                    logger.exception("The holds of calls under way could not be renewed.")


def _end_rest(
    endings: list[keys.Settlement], results: list[keys.SettlementResult | None]
) -> list[keys.SettlementResult]:
    keys.plan_for_calls()
    return keys.end_rest(endings, results, now=database_clock.now())


def _extend_holds(charges: list[int]) -> None:
    keys.extend_holds(charges, ttl_seconds=settings.HOLD_SECONDS, now=database_clock.now())
