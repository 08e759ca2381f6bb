"""OpenClaw as a runner: each attempt is a sub-agent of its gateway, paid by way of a slot."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.openclaw import messages as words
from orchestration.runners.openclaw.children import Children
from orchestration.runners.openclaw.slots import RUNNER, Seat, Slots
from orchestration.runners.openclaw.socket import Refused, Unreachable
from orchestration.runners.scrubbed_text import sentence
from security import tokens

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
# A gateway that was killed is back after some ten seconds.
_PATIENCE_SECONDS = 60
_SPAWNING_PATIENCE_SECONDS = 20
_CANCELLING_PATIENCE_SECONDS = 10
_PAUSE_SECONDS = 0.5
_WAIT_SECONDS_MAX = 5


def gateway_token() -> str:
    """The token of OpenClaw's gateway: what was set, or one computed and kept nowhere else."""
    return settings.OPENCLAW_TOKEN or tokens.derive_token("bo", RUNNER)


class OpenClawRunner:
    """Carries attempts out as sub-agents of one OpenClaw gateway.

    A child is made in the name of its attempt (its parent session), so whoever looks finds it; it
    runs in the gateway, whatever becomes of this process. It calls models by its slot's provider,
    whose credential is paid by whoever sits in the slot: so a slot is freed only when the gateway
    itself says that nothing runs there any more. An attempt's handle holds `slot`, `parent_key`,
    `run_id`, `child_key` and `task_id`.
    """

    def __init__(self) -> None:
        self._url, self._token = settings.OPENCLAW_URL, gateway_token()
        self._children = Children(self._url, self._token)
        self._slots = Slots()
        self._spawning: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Take a slot and begin a child there, unless the attempt has one."""
        if not self._url:
            raise Failed("misconfigured", "OpenClaw is not set up: BUTLER_OPENCLAW_URL is not set.")
        # Seen through even if nobody waits any more: a child that nobody knows of would go on.
        spawning = asyncio.create_task(self._spawn_child(work))
        spawning.add_done_callback(_retrieve_exception)
        self._spawning[work.session_id] = spawning
        return await asyncio.shield(spawning)

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether its task is over; asks again while the gateway starts anew."""
        ended = partial(
            self._children.has_ended,
            run_id=handle["run_id"],
            task_id=handle["task_id"],
            seconds=min(seconds, _WAIT_SECONDS_MAX),
        )
        return await self._patiently(ended, seconds=_PATIENCE_SECONDS)

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """The whole text of the child's last message."""
        return await self._patiently(partial(self._result, work, handle), seconds=_PATIENCE_SECONDS)

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Stop whatever runs in the name of the attempt; returns when it has ended."""
        if not self._url:
            return
        if spawning := self._spawning.get(work.session_id):
            await asyncio.wait([spawning])
        await self._patiently(
            partial(self._children.stopped, work.session_id), seconds=_CANCELLING_PATIENCE_SECONDS
        )

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """If the attempt is over, delete its session and free its slot; if the gateway is away,
        `release_left_over` does it later."""
        self._spawning.pop(work.session_id, None)
        seat = await self._slots.of(work.allocation_id)
        if seat is None or await self._slots.attempt_runs(work.session_id):
            return
        try:
            await self._clear(seat)
        except (Unreachable, Refused) as error:
            logger.warning("%s stays taken for now: %s", seat.slot, self._sentence(error))

    async def release_left_over(self) -> int:
        """Free the slots of attempts that are over, as far as nothing runs there; how many."""
        freed = 0
        for seat in await self._slots.left_over() if self._url else ():
            try:
                freed += await self._clear(seat)
            except (Unreachable, Refused) as error:
                logger.warning("%s stays taken for now: %s", seat.slot, self._sentence(error))
        return freed

    async def close(self) -> None:
        """Leave; what runs in the gateway goes on."""
        for spawning in self._spawning.values():
            spawning.cancel()
        await self._children.close()
        await self._slots.close()

    async def _spawn_child(self, work: Work) -> dict[str, Any]:
        slot = await self._slots.take(work.allocation_id)
        if slot is None:
            raise Failed("no_capacity", "Every slot of OpenClaw is taken.")
        child = await self._patiently(
            partial(self._children.begin, work, slot), seconds=_SPAWNING_PATIENCE_SECONDS
        )
        return {
            "slot": slot,
            "parent_key": words.parent_of(work.session_id),
            "run_id": child["runId"],
            "child_key": child["childSessionKey"],
            "task_id": child["taskId"],
        }

    async def _result(self, work: Work, handle: dict[str, Any]) -> Result:
        task = await self._children.task(handle["task_id"])
        seat = await self._slots.of(work.allocation_id)
        if failed := words.failure_of(task, seat, secret=self._token):
            raise failed
        said = await self._children.said(handle["child_key"])
        facts = {"slot": handle["slot"], "openclaw_session": handle["child_key"]}
        return words.result_of(said, facts)

    async def _clear(self, seat: Seat) -> bool:
        """Whether a slot was freed, now that nothing runs there."""
        children = await self._children.stopped(seat.session_id)
        freed = await self._slots.free(seat)
        for child in children:
            self._children.delete(child["childSessionKey"])
        return freed

    async def _patiently(self, work: Callable[[], Awaitable[Answer]], *, seconds: float) -> Answer:
        """Do it, again and again while the gateway is away. Raises Failed."""
        end = time.monotonic() + seconds
        while True:
            try:
                return await work()
            except Refused as refused:
                kind = "misconfigured" if refused.at_the_door else "failed"
                raise Failed(kind, self._sentence(refused)) from None
            except Unreachable as away:
                if time.monotonic() > end:
                    says = f"OpenClaw's gateway at {self._url} cannot be reached: {away}"
                    raise Failed("unreachable", self._sentence(says)) from None
            await asyncio.sleep(_PAUSE_SECONDS)

    def _sentence(self, says: object) -> str:
        return sentence(str(says), secret=self._token)


async def release_left_over() -> int:
    """Free the slots of attempts that are over, as far as nothing runs there; how many."""
    runner = OpenClawRunner()
    try:
        return await runner.release_left_over()
    finally:
        await runner.close()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Look at how it ended: asyncio would log that nobody did."""
    if not task.cancelled():
        task.exception()
