"""What large requests share in one process: memory, and threads that count them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

from django.conf import settings

from gateway.refusals import TooManyLargeBodies
from gateway.requests import Request

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Smaller bodies are not accounted for, and worked on at once.
SMALL_BYTES_MAX = 64_000
_THREADS = 2


class LargeBodies:
    """One agent has at most half of the memory, and one thread at a time."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="large-bodies")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def room(self, agent: str) -> Iterator["Room"]:
        """Room for a body of the agent, for as long as the body is in memory."""
        room = Room(self._bytes, agent)
        try:
            yield room
        finally:
            room.leave()

    async def run(
        self,
        agent: str,
        request: Request,
        work: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call `work`, which is about the body of the agent's request, in a thread.

        Heavy bodies have threads of their own, so that the others do not wait for them.
        """
        if not request.has_heavy_body:
            return await asyncio.to_thread(work, *args, **kwargs)
        turn = self._turns.setdefault(agent, asyncio.Lock())
        async with turn:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))

    async def run_if_large(
        self,
        agent: str,
        request: Request,
        work: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The same, but for a small body it is called at once."""
        if request.body_size <= SMALL_BYTES_MAX:
            return work(*args, **kwargs)
        return await self.run(agent, request, work, *args, **kwargs)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


class Room:
    """The memory of one body."""

    def __init__(self, taken: Counter[str], agent: str) -> None:
        self._taken, self._agent, self._size = taken, agent, 0

    def take(self, size: int) -> None:
        """Make room for a body of `size` bytes in all. Refusals: TooManyLargeBodies."""
        more = size - self._size
        if more <= 0 or size <= SMALL_BYTES_MAX:
            return
        bytes_max = settings.GATEWAY_LARGE_BODIES_BYTES_MAX
        if (
            self._taken.total() + more > bytes_max
            or self._taken[self._agent] + more > bytes_max // 2
        ):
            raise TooManyLargeBodies(
                "Too many large requests are under way. Please retry, or make fewer of them at"
                " once."
            )
        self._taken[self._agent] += more
        self._size = size

    def leave(self) -> None:
        """Give the room back."""
        self._taken[self._agent] -= self._size
        self._size = 0
        if not self._taken[self._agent]:
            del self._taken[self._agent]
