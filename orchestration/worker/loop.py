"""The loop of a worker: claim, carry out, renew leases, take over attempts of lost workers."""

import asyncio
import logging
import os
import secrets
import socket
import threading
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from django.conf import settings
from django.db import connections

from orchestration import services
from orchestration.models import Attempt
from orchestration.queries.pending_work import is_work_due
from orchestration.runners import Runners
from orchestration.worker.database import Database
from orchestration.worker.running_attempt import RunningAttempt, Stop

logger = logging.getLogger(__name__)

_TURN_SECONDS = 1.0
_TURNS_PER_SWEEP = 3
_LEAVING_SECONDS = 8.0
# A worker stays for work that is due within this time: that is cheaper than being woken again.
_PATIENCE = timedelta(seconds=30)


def work_until_done(*, leaving: threading.Event | None = None) -> int:
    """Run attempts until no work is due, or `leaving` is set. Returns how many were started."""
    # The caller's connection cannot be used by threads, and may break before it is used again.
    connections.close_all()
    return asyncio.run(_work(leaving or threading.Event()))


async def _work(leaving: threading.Event) -> int:
    return await Worker(leaving).run()


class Worker:
    """Runs attempts in one process, until `leaving` is set (checked each second).

    `name` is in `Attempt.worker`: host, process id and a random suffix.
    """

    def __init__(self, leaving: threading.Event) -> None:
        self.name = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._database = Database()
        self._runners = Runners()
        self._running: dict[int, RunningAttempt] = {}
        self._changed = asyncio.Event()
        self._leaving = leaving
        self._started = 0
        self._woke_another = False

    async def run(self) -> int:
        """Work until nothing is due or `leaving` is set. Returns how many attempts started."""
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            await self._turns(heartbeat)
        finally:
            await self._leave()
            heartbeat.cancel()
            await self._runners.close()
            await self._database.close()
        return self._started

    async def _turns(self, heartbeat: asyncio.Task[None]) -> None:
        for turn in count():
            if self._leaving.is_set():
                return
            if heartbeat.done():
                # Only a bug ends it; without it other workers would take over these attempts.
                heartbeat.result()
            self._changed.clear()
            if turn % _TURNS_PER_SWEEP == 0:
                await self._sweep()
            await self._claim()
            if not self._running and not await self._is_work_due():
                return
            await self._next_turn()

    async def _next_turn(self) -> None:
        """Wait for one second, or until an attempt has ended, so that another one can start."""
        try:
            await asyncio.wait_for(self._changed.wait(), _TURN_SECONDS)
        except TimeoutError:
            return

    async def _claim(self) -> None:
        if (room := settings.WORKER_ATTEMPTS_MAX - len(self._running)) > 0:
            claimed = await self._database.run(services.claim, worker=self.name, most=room)
            self._run_attempts(claimed)
            if len(claimed) == room and not self._woke_another:
                # There may be more work than it can take; the next worker then wakes another one.
                self._woke_another = True
                await self._database.run(_wake)

    async def _sweep(self) -> None:
        await self._database.run(services.sweep)
        await self._database.run(services.finalize)
        if (room := settings.WORKER_ATTEMPTS_MAX - len(self._running)) > 0:
            attempts = await self._database.run(services.take_over, worker=self.name, most=room)
            self._run_attempts(attempts)

    async def _is_work_due(self) -> bool:
        return await self._database.run(is_work_due, within=_PATIENCE)

    def _run_attempts(self, attempts: list[Attempt]) -> None:
        self._started += len(attempts)
        for attempt in attempts:
            running = RunningAttempt(attempt, self._database, self._runners)
            self._running[attempt.pk] = running
            running.task.add_done_callback(partial(self._forget, running))

    def _forget(self, running: RunningAttempt, task: asyncio.Task[None]) -> None:
        # It may be running again: after a time without the database, a worker takes over its own.
        if self._running.get(running.attempt.pk) is running:
            del self._running[running.attempt.pk]
        self._changed.set()
        if not task.cancelled() and (error := task.exception()):
            logger.error("An attempt stopped by a bug; its lease expires.", exc_info=error)

    async def _heartbeat(self) -> None:
        """Each second: renew leases, and stop attempts that were cancelled or taken over."""
        while True:
            await asyncio.sleep(_TURN_SECONDS)
            if self._running:
                running = dict(self._running)
                ours = await self._database.run(services.renew_leases, worker=self.name)
                for pk, each in running.items():
                    fence, cancelled = ours.get(pk, (0, False))
                    if fence != each.attempt.fence:
                        each.stop(Stop.TAKEN_OVER)
                    elif cancelled:
                        each.stop(Stop.CANCELLED)

    async def _leave(self) -> None:
        """Give running attempts some seconds to end, then leave them to other workers."""
        if self._running:
            await asyncio.wait(
                [each.task for each in self._running.values()], timeout=_LEAVING_SECONDS
            )
        left = [each.task for each in self._running.values()]
        for each in list(self._running.values()):
            each.stop(Stop.LEAVING)
        if left:
            await asyncio.wait(left)
            await self._database.run(services.release_leases, worker=self.name)


def _wake(*, now: datetime) -> None:
    services.wake()
