"""How many calls of one agent a process serves at the same time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from gateway.refusals import TooManyCalls


class AgentCalls:
    """The calls under way by agent, from before their bodies are read until they end.

    So one agent cannot fill the batches, threads, memory and connections that all calls share.
    """

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()

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
