"""A running attempt, from its allocation to its end."""

import asyncio
import logging
from datetime import datetime
from enum import Enum, auto

from orchestration.models import Attempt
from orchestration.runners import Runners
from orchestration.runners.base import Failed, Result, Runner, Work
from orchestration.services import AttemptOutcome, lend, store_handle
from orchestration.worker.database import Database

logger = logging.getLogger(__name__)

_POLL_SECONDS = 15.0
_CANCELLING_SECONDS = 20.0


class Stop(Enum):
    """Why a worker stops an attempt before it has ended."""

    CANCELLED = auto()  # A person or agent cancelled it.
    TAKEN_OVER = auto()  # Another worker has it now.
    LEAVING = auto()  # This worker stops; another one will take it over.


class RunningAttempt:
    """An attempt that runs in this process; `task` ends when the attempt does."""

    def __init__(self, attempt: Attempt, database: Database, runners: Runners) -> None:
        self.attempt = attempt
        self._database = database
        self._runner: Runner = runners.of(attempt.runner)
        self._work: Work | None = None
        self._stop: Stop | None = None
        # Set while its end is being recorded, which must not be interrupted.
        self._ending = False
        self.task = asyncio.create_task(self._run())

    def stop(self, why: Stop) -> None:
        """Stop the attempt; only the first reason counts."""
        if self._stop is None and not self._ending:
            self._stop = why
            self.task.cancel()

    async def _run(self) -> None:
        try:
            outcome = await self._run_to_end()
        except asyncio.CancelledError:
            if self._stop is not Stop.CANCELLED:
                await self._forget()
                return
            await self._cancel()
            outcome = self._outcome(
                "cancelled", kind="cancelled", says="The attempt was cancelled."
            )
        self._ending = True
        await self._database.finish(outcome)
        await self._forget()

    async def _run_to_end(self) -> AttemptOutcome:
        try:
            async with asyncio.timeout(self._seconds_left()):
                result = await self._result()
            return self._outcome("succeeded", result=result)
        except TimeoutError:
            await self._cancel()
            return self._outcome(
                "failed", kind="timeout", says="The attempt exceeded its time limit."
            )
        except Failed as failed:
            if failed.kind != "lost":
                await self._cancel()
            return self._failure(failed)
        except Exception:
            # A bug must not leave the attempt running forever.
            logger.exception("%s failed because of a bug", self.attempt.session_id)
            await self._cancel()
            says = "Butler failed. Its log has the details."
            return self._outcome("failed", kind="failed", says=says)

    async def _result(self) -> Result:
        self._work = await self._database.run(lend, self.attempt)
        if self.attempt.handle is None:
            self.attempt.handle = await self._runner.spawn(self._work)
            if not await self._database.run(_store, self.attempt):
                raise Failed("lost", "The attempt was taken over.")
        while not await self._runner.poll(self._work, self.attempt.handle, seconds=_POLL_SECONDS):
            continue
        return await self._runner.result(self._work, self.attempt.handle)

    def _seconds_left(self) -> float:
        return max((self.attempt.deadline_at - self._database.clock.now()).total_seconds(), 0.0)

    async def _cancel(self) -> None:
        """Stop the child, if that succeeds within some seconds."""
        try:
            async with asyncio.timeout(_CANCELLING_SECONDS):
                if self._work is None and self.attempt.fence == 1:
                    return
                # The previous worker may have spawned a child.
                if self._work is None:
                    self._work = await self._database.run(lend, self.attempt)
                await self._runner.cancel(self._work, self.attempt.handle)
        except (Failed, TimeoutError) as error:
            # Its allocation is closed next, so it can spend nothing more.
            logger.warning("%s cannot be cancelled: %s", self.attempt.session_id, error)

    async def _forget(self) -> None:
        if self._work is not None:
            await self._runner.forget(self._work, self.attempt.handle)

    def _failure(self, failed: Failed) -> AttemptOutcome:
        return self._outcome(
            "failed", kind=failed.kind, says=failed.says, retry_after=failed.retry_after
        )

    def _outcome(
        self,
        status: str,
        *,
        result: Result | None = None,
        kind: str = "",
        says: str = "",
        retry_after: float | None = None,
    ) -> AttemptOutcome:
        return AttemptOutcome(
            self.attempt.pk,
            self.attempt.fence,
            status,
            text=result.text if result else "",
            facts=result.facts if result else {},
            kind=kind,
            says=says,
            retry_after=retry_after,
        )


def _store(attempt: Attempt, *, now: datetime) -> bool:
    return store_handle(attempt, attempt.handle)
