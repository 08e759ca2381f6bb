"""What one agent may take of a process: calls at the same time, and turns of the event loop."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from django.conf import settings

from gateway.refusals import TooManyCalls


class AgentCalls:
    """The calls under way by agent, from before their bodies are read until they end.

    So one agent cannot fill the batches, threads, memory and connections that all calls share.
    """

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextmanager
    def one_more(self, agent: str) -> Iterator[None]:
        """Count one more call of the agent while it lasts. Refusal: TooManyCalls."""
        if self._under_way[agent] >= settings.GATEWAY_AGENT_CALLS_MAX:
            raise TooManyCalls(agent=agent, calls_max=settings.GATEWAY_AGENT_CALLS_MAX)
        self._under_way[agent] += 1
        try:
            yield
        finally:
            self._under_way[agent] -= 1
            if not self._under_way[agent]:
                del self._under_way[agent]

    async def turn(self, agent: str) -> None:
        """Let the other agents' calls go on first, and one of this agent's after the other."""
        async with self._turns.setdefault(agent, asyncio.Lock()):
            await asyncio.sleep(0)
