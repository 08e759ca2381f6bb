"""Who may have a password checked next: a check takes half a second of CPU on purpose, also for
those who only guess."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

# After a check, its address waits so many times as long as the check took.
_PAUSE = 3


class SignInTurns:
    """A process checks one password at a time. The addresses take turns, so guesses from one keep
    no other out, and it takes no more than a quarter of a core."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._addresses = WeakValueDictionary[str, asyncio.Lock]()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for the turn of a request from this address."""
        loop = asyncio.get_running_loop()
        async with self._addresses.setdefault(address, asyncio.Lock()):
            async with self._one:
                begun = loop.time()
                yield
                took = loop.time() - begun
            # The client has its answer.
            await asyncio.sleep(_PAUSE * took)
