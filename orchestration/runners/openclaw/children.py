"""Sub-agents of attempts in an OpenClaw gateway: find, start, stop and delete them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from orchestration.runners.base import Failed, Work
from orchestration.runners.openclaw import messages as words
from orchestration.runners.openclaw.socket import OpenClawSocket, Refused, Unreachable

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Child = dict[str, Any]
_ASK_SECONDS = 30
# The first one after a start takes long.
_SPAWN_SECONDS = 120
_DELETE_SECONDS = 120
_LEAVING_SECONDS = 2
# A task is written down a moment after its run has ended, or was begun.
_SETTLING_SECONDS = 10
_PAUSE_SECONDS = 0.25


class Children:
    """Requests to the gateway. Every method raises Unreachable and Refused."""

    def __init__(self, url: str, token: str) -> None:
        self._socket, self._token = OpenClawSocket(url, token), token
        self._deleting: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def spawn(self, work: Work, slot: str) -> Child:
        """Start a child of the attempt, or find the one that an earlier request started.

        The answer to an earlier request may have been lost, so the gateway is asked first. Raises
        Failed.
        """
        children = await self.of(work.session_id)
        if not children:
            answer = await self._ask(
                "tools.invoke",
                seconds=_SPAWN_SECONDS,
                name="sessions_spawn",
                sessionKey=words.parent_of(work.session_id),
                args=words.spawn_arguments(work, slot),
            )
            words.check_spawn_answer(answer, secret=self._token)
            children = await _until(partial(self.of, work.session_id), bool)
        if not children:
            raise Failed("failed", "OpenClaw started a child but does not list it.")
        for double in children[1:]:
            await self._cancel(double)
        return children[0]

    async def of(self, session_id: str) -> list[Child]:
        """OpenClaw's tasks of an attempt, the oldest first."""
        found = await self._ask("tasks.list", sessionKey=words.parent_of(session_id))
        return sorted(found["tasks"], key=lambda task: task["createdAt"])

    async def task(self, task_id: str) -> Child:
        """One of OpenClaw's tasks. Raises Failed."""
        try:
            found: Child = (await self._ask("tasks.get", taskId=task_id))["task"]
            return found
        except Refused as refused:
            if "not found" not in str(refused):
                raise
            raise Failed("lost", "OpenClaw no longer knows the child.") from None

    async def has_ended(self, *, run_id: str, task_id: str, seconds: float) -> bool:
        """Whether a task has ended; waits for that up to `seconds`. Raises Failed."""
        waited = await self._ask(
            "agent.wait",
            seconds=seconds + _ASK_SECONDS,
            runId=run_id,
            timeoutMs=int(seconds * 1000),
        )
        # After a restart of the gateway, only the task shows what ended before it.
        if "endedAt" not in waited:
            return words.is_over(await self.task(task_id))
        return words.is_over(await _until(partial(self.task, task_id), words.is_over))

    async def messages(self, key: str) -> list[dict[str, Any]]:
        """All messages of a session, unshortened."""
        return (await self._ask("sessions.get", key=key)).get("messages") or []

    async def stop(self, session_id: str) -> list[Child]:
        """Stop all tasks of an attempt, and return them. Raises Unreachable if one goes on."""
        for child in await self.of(session_id):
            if not words.is_over(child):
                await self._cancel(child)
        children = await _until(partial(self.of, session_id), _all_over)
        if not _all_over(children):
            raise Unreachable(f"The child of {session_id} did not stop.")
        return children

    def delete(self, key: str) -> None:
        """Delete a session in the background; OpenClaw archives it if that fails."""
        deleting = asyncio.create_task(self._delete_session(key))
        self._deleting.add(deleting)
        deleting.add_done_callback(self._deleting.discard)

    async def close(self) -> None:
        """Leave."""
        if self._deleting:
            await asyncio.wait(self._deleting, timeout=_LEAVING_SECONDS)
        for deleting in self._deleting:
            deleting.cancel()
        await self._socket.close()

    async def _delete_session(self, key: str) -> None:
        # One after the other, because each deletion keeps the gateway busy.
        async with self._turn:
            try:
                await self._ask("sessions.delete", seconds=_DELETE_SECONDS, key=key)
            except (Unreachable, Refused) as error:
                logger.info("%s could not be deleted: %s", key, error)

    async def _cancel(self, child: Child) -> None:
        await self._ask("tasks.cancel", taskId=child["taskId"], reason="butler")

    async def _ask(self, method: str, *, seconds: float = _ASK_SECONDS, **params: Any) -> Any:
        return await self._socket.ask(method, seconds=seconds, **params)


async def _until(look: Callable[[], Awaitable[Answer]], holds: Callable[[Answer], Any]) -> Answer:
    """The tasks as soon as they meet the condition, or as they are after some seconds."""
    end = time.monotonic() + _SETTLING_SECONDS
    while not holds(found := await look()) and time.monotonic() < end:
        await asyncio.sleep(_PAUSE_SECONDS)
    return found


def _all_over(children: list[Child]) -> bool:
    return all(map(words.is_over, children))
