"""The slots of OpenClaw, asked by an event loop, however long the database is away."""

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
from orchestration.queries.slots import abandoned_slots, attempt_runs

logger = logging.getLogger(__name__)

RUNNER = "openclaw"
Answer = TypeVar("Answer")
_PAUSES_SECONDS = (1.0,)


class Seat(NamedTuple):
    """A taken slot, whose allocation sits there, and what the gateway last said no with."""

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
        """The slot of an allocation, newly taken if it has none; None when none is free."""
        slot = await self._run(
            keys.take_slot, runner=RUNNER, allocation_id=allocation_id, now=timezone.now()
        )
        return slot.pk if slot else None

    async def free(self, seat: Seat) -> bool:
        """Make room, if the allocation still sits there."""
        return await self._run(
            keys.free_slot,
            slug=seat.slot,
            allocation_id=seat.allocation_id,
            now=timezone.now(),
        )

    async def of(self, allocation_id: int) -> Seat | None:
        """Where an allocation sits."""
        return await self._run(_seat_of, allocation_id)

    async def left_over(self) -> list[Seat]:
        """Where allocations sit whose attempts are over."""
        return await self._run(_seats_left_over)

    async def attempt_runs(self, session_id: str) -> bool:
        """Whether somebody still carries this attempt out."""
        return await self._run(attempt_runs, session_id)

    async def close(self) -> None:
        """Let the threads end."""
        await asyncio.to_thread(self._threads.close)

    async def _run(self, work: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        return await self._retry.run(lambda: self._threads.run(work, *args, **kwargs))


def _seat_of(allocation_id: int) -> Seat | None:
    slot = taken_slots(runner=RUNNER).filter(allocation=allocation_id).first()
    return _seat(slot) if slot else None


def _seats_left_over() -> list[Seat]:
    return [_seat(slot) for slot in abandoned_slots(runner=RUNNER)]


def _seat(slot: Slot) -> Seat:
    allocation = slot.allocation
    if allocation is None:
        raise ValueError(f"nobody sits in slot {slot.pk}")
    return Seat(slot.pk, allocation.pk, allocation.session_id, slot.refusal_code, slot.refusal)
