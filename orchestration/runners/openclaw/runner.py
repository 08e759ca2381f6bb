"""OpenClaw as a runner: each attempt is a sub-agent of its gateway, paid through a slot."""

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
from orchestration.runners.openclaw.slots import RUNNER, Slots, TakenSlot
from orchestration.runners.openclaw.socket import Refused, Unreachable
from orchestration.runners.scrubbed_text import sentence
from security import tokens

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
# A gateway that was killed is back after about ten seconds.
_PATIENCE_SECONDS = 60
_SPAWNING_PATIENCE_SECONDS = 20
_CANCELLING_PATIENCE_SECONDS = 10
_PAUSE_SECONDS = 0.5
_WAIT_SECONDS_MAX = 5


def gateway_token() -> str:
    """The token of OpenClaw's gateway: from the settings, or derived from the secret key."""
    return settings.OPENCLAW_TOKEN or tokens.derive_token("bo", RUNNER)


class OpenClawRunner:
    """Carries attempts out as sub-agents of one OpenClaw gateway.

    The parent session of a child is named after the attempt, so any worker can find it. The child
    runs in the gateway and survives this process. It calls models through the provider of its
    slot, and the allocation in the slot pays for them. So a slot is freed only after the gateway
    has confirmed that nothing runs there. An attempt's handle has `slot`, `parent_key`, `run_id`,
    `child_key` and `task_id`.
    """

    def __init__(self) -> None:
        self._url, self._token = settings.OPENCLAW_URL, gateway_token()
        self._children = Children(self._url, self._token)
        self._slots = Slots()
        self._spawning: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Take a slot and start a child there, unless the attempt has one."""
        if not self._url:
            raise Failed("misconfigured", "OpenClaw is not configured: set BUTLER_OPENCLAW_URL.")
        # Completed even if this call is cancelled, or an unknown child would go on.
        spawning = asyncio.create_task(self._spawn_child(work))
        spawning.add_done_callback(_retrieve_exception)
        self._spawning[work.session_id] = spawning
        return await asyncio.shield(spawning)

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether the child has ended; asks again while the gateway restarts."""
        ended = partial(
            self._children.has_ended,
            run_id=handle["run_id"],
            task_id=handle["task_id"],
            seconds=min(seconds, _WAIT_SECONDS_MAX),
        )
        return await self._patiently(ended, seconds=_PATIENCE_SECONDS)

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """The text of the child's last message."""
        return await self._patiently(partial(self._result, work, handle), seconds=_PATIENCE_SECONDS)

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Stop all children of the attempt, and return when they have ended."""
        if not self._url:
            return
        if spawning := self._spawning.get(work.session_id):
            await asyncio.wait([spawning])
        await self._patiently(
            partial(self._children.stop, work.session_id), seconds=_CANCELLING_PATIENCE_SECONDS
        )

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Delete the session and free the slot of an attempt that has ended.

        If the gateway is unavailable, `release_left_over` does it later.
        """
        self._spawning.pop(work.session_id, None)
        taken = await self._slots.of(work.allocation_id)
        if taken is None or await self._slots.is_attempt_running(work.session_id):
            return
        try:
            await self._clear(taken)
        except (Unreachable, Refused) as error:
            logger.warning("%s stays taken for now: %s", taken.slot, self._sentence(error))

    async def release_left_over(self) -> int:
        """Free the slots of ended attempts whose children have ended. Returns how many."""
        freed = 0
        for taken in await self._slots.left_over() if self._url else ():
            try:
                freed += await self._clear(taken)
            except (Unreachable, Refused) as error:
                logger.warning("%s stays taken for now: %s", taken.slot, self._sentence(error))
        return freed

    async def close(self) -> None:
        """Close the connections; children in the gateway continue."""
        for spawning in self._spawning.values():
            spawning.cancel()
        await self._children.close()
        await self._slots.close()

    async def _spawn_child(self, work: Work) -> dict[str, Any]:
        slot = await self._slots.take(work.allocation_id)
        if slot is None:
            raise Failed("no_capacity", "All OpenClaw slots are in use.")
        child = await self._patiently(
            partial(self._children.spawn, work, slot), seconds=_SPAWNING_PATIENCE_SECONDS
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
        taken = await self._slots.of(work.allocation_id)
        if failed := words.failure_of(task, taken, secret=self._token):
            raise failed
        messages = await self._children.messages(handle["child_key"])
        facts = {"slot": handle["slot"], "openclaw_session": handle["child_key"]}
        return words.result_of(messages, facts)

    async def _clear(self, taken: TakenSlot) -> bool:
        """Stop the children in a slot, then free it. Returns whether it was freed."""
        children = await self._children.stop(taken.session_id)
        freed = await self._slots.free(taken)
        for child in children:
            self._children.delete(child["childSessionKey"])
        return freed

    async def _patiently(self, work: Callable[[], Awaitable[Answer]], *, seconds: float) -> Answer:
        """Run a request, and repeat it while the gateway is unavailable. Raises Failed."""
        end = time.monotonic() + seconds
        while True:
            try:
                return await work()
            except Refused as refused:
                kind = "misconfigured" if refused.connecting else "failed"
                raise Failed(kind, self._sentence(refused)) from None
            except Unreachable as away:
                if time.monotonic() > end:
                    says = f"OpenClaw's gateway at {self._url} cannot be reached: {away}"
                    raise Failed("unreachable", self._sentence(says)) from None
            await asyncio.sleep(_PAUSE_SECONDS)

    def _sentence(self, says: object) -> str:
        return sentence(str(says), secret=self._token)


async def release_left_over() -> int:
    """Free the slots of ended attempts whose children have ended. Returns how many."""
    runner = OpenClawRunner()
    try:
        return await runner.release_left_over()
    finally:
        await runner.close()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a task, which asyncio would otherwise log as unhandled."""
    if not task.cancelled():
        task.exception()
