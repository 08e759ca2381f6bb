"""Calls of one session that wait until the holds of its other calls end.

A hold is the most that a call can use, mostly far more than it will use. So a call that does not
fit beside the calls in flight is not refused at once: it waits its turn, first come, first served.
The first in the line tries again whenever a call of the session is settled in this process, and
from time to time, because other processes may have calls of it in flight too.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from common.request_body import ClientGone
from gateway.requests import Request
from keys.refusals import BudgetInFlight
from keys.services import HoldResult

# Between two tries without a settlement in this process.
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 0.5

Try = Callable[[], Awaitable[HoldResult]]


class _Line:
    """The calls of one session that wait, the first in turn first. `room`: what the largest of them
    could have if nothing were in flight."""

    def __init__(self) -> None:
        self.turns: deque[asyncio.Event] = deque()
        self.room = 0

    def is_first(self, turn: asyncio.Event) -> bool:
        return self.turns[0] is turn

    def wake(self) -> None:
        if self.turns:
            self.turns[0].set()


class HoldQueue:
    """The lines of all sessions with calls that wait in this process."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    async def hold(
        self, attempt: Try, *, allocation_id: int, least: int, client: Request, until: float
    ) -> HoldResult:
        """The result of `attempt`, which is tried in turn as long as it raises BudgetInFlight.

        A call of at least `least` tokens that can never fit does not wait. Refusals: those of
        `attempt`; BudgetInFlight if it still does not fit at `until`, a moment of the event loop.
        Raises ClientGone.
        """
        line = self._lines.get(allocation_id)
        if line is None or least > line.room:
            try:
                return await attempt()
            except BudgetInFlight as refusal:
                line = self._lines.setdefault(allocation_id, _Line())
                line.room = refusal.allocated - refusal.used
        turn = asyncio.Event()
        line.turns.append(turn)
        watch = asyncio.create_task(client.wait_for_disconnect())
        watch.add_done_callback(lambda _: turn.set())
        try:
            return await _in_turn(attempt, line, turn, watch, until)
        finally:
            watch.cancel()
            line.turns.remove(turn)
            line.wake()
            if not line.turns and self._lines.get(allocation_id) is line:
                del self._lines[allocation_id]

    def wake(self, allocation_id: int) -> None:
        """A call of the session was settled or released: the first in its line tries again."""
        if line := self._lines.get(allocation_id):
            line.wake()


async def _in_turn(
    attempt: Try, line: _Line, turn: asyncio.Event, watch: asyncio.Task[None], until: float
) -> HoldResult:
    loop, pause = asyncio.get_running_loop(), _PAUSE_SECONDS_MIN
    while (rest := until - loop.time()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rest, pause) if line.is_first(turn) else rest):
                await turn.wait()
        if watch.done():
            raise ClientGone
        turn.clear()
        if not line.is_first(turn):
            continue
        try:
            return await attempt()
        except BudgetInFlight as refusal:
            line.room = refusal.allocated - refusal.used
        pause = min(pause * 2, _PAUSE_SECONDS_MAX)
    # Its time is over. This tells exactly what is lacking, also if it was never the first.
    return await attempt()
