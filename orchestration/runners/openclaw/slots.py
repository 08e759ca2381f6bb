"""OpenClaw's slots, used from an event loop; queries are repeated while the database is down."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from django.utils import timezone

from common.batches import Threads
from common.database_retry import DatabaseRetry
from keys import services as keys
from keys.books.queries.slots import taken_slots
from keys.models import Slot
from orchestration.queries.slots import abandoned_slots, is_attempt_running

logger = logging.getLogger(__name__)

RUNNER = "openclaw"
Answer = TypeVar("Answer")
_PAUSES_SECONDS = (1.0,)


class TakenSlot(NamedTuple):
    """A slot in use: its allocation, and the last refusal of the gateway there, if any."""

    slot: str
    allocation_id: int
    session_id: str
    refusal_code: str
    refusal: str


class Slots:
    """Takes and frees slots in threads of its own."""

    def __init__(self) -> None:
        self._threads = Threads(2)
        self._retry = DatabaseRetry(logger, pauses_seconds=_PAUSES_SECONDS)

    async def take(self, allocation_id: int) -> str | None:
        """The slot of an allocation: the one it has, or a free one; None if none is free."""
        slot = await self._run(
            keys.take_slot, runner=RUNNER, allocation_id=allocation_id, now=timezone.now()
        )
        return slot.pk if slot else None

    async def free(self, taken: TakenSlot) -> bool:
        """Free the slot, if the allocation still has it."""
        return await self._run(
            keys.free_slot,
            slug=taken.slot,
            allocation_id=taken.allocation_id,
            now=timezone.now(),
        )

    async def of(self, allocation_id: int) -> TakenSlot | None:
        """The slot that the allocation has, or None."""
        return await self._run(_slot_of, allocation_id)

    async def left_over(self) -> list[TakenSlot]:
        """Slots in use whose attempts have ended."""
        return await self._run(_abandoned_slots)

    async def is_attempt_running(self, session_id: str) -> bool:
        """Whether the attempt is running."""
        return await self._run(is_attempt_running, session_id)

    async def close(self) -> None:
        """Wait until the threads have ended."""
        await asyncio.to_thread(self._threads.close)

    async def _run(self, work: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        return await self._retry.run(lambda: self._threads.run(work, *args, **kwargs))


def _slot_of(allocation_id: int) -> TakenSlot | None:
    slot = taken_slots(runner=RUNNER).filter(allocation=allocation_id).first()
    return _taken_slot(slot) if slot else None


def _abandoned_slots() -> list[TakenSlot]:
    return [_taken_slot(slot) for slot in abandoned_slots(runner=RUNNER)]


def _taken_slot(slot: Slot) -> TakenSlot:
    allocation = slot.allocation
    if allocation is None:
        raise ValueError(f"slot {slot.pk} has no allocation")
    return TakenSlot(slot.pk, allocation.pk, allocation.session_id, slot.refusal_code, slot.refusal)
