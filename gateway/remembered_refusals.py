"""Requests that two API keys were refused for alike, remembered for a short time.

The same request, sent again, need not be tried on a second key. Nor need further requests of an
agent that has sent several of them. Kept in memory, for one process: losing it costs one try on
another key.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from gateway.provider_errors import About, ProviderError

_SECONDS = 60
_REQUESTS_MAX = 10_000
# So many refused requests of an agent let its next ones be taken for such.
_REQUESTS_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class _OfAgent:
    """How many requests of an agent were refused, in which meanings, on which keys."""

    until: float
    count: int = 0
    meanings: frozenset[About] = frozenset()
    keys: frozenset[str] = frozenset()

    def with_one_more(self, error: ProviderError, keys: list[str]) -> "_OfAgent":
        return _OfAgent(
            self.until, self.count + 1, self.meanings | {error.about}, self.keys.union(keys)
        )


class RememberedRefusals:
    """Refused requests, by a digest, with what was said of them and the keys that were refused;
    and how many of them an agent has sent."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[About, list[str], float]] = {}
        self._by_agent: dict[str, _OfAgent] = {}

    def add(self, request: bytes, agent: str, error: ProviderError, keys: list[str]) -> None:
        """Remember the request. Limits that end at a known time are not about the request."""
        if error.wait_seconds is not None:
            return
        self._known.pop(request, None)
        _drop_oldest(self._known)
        self._known[request] = error.about, keys, monotonic() + _SECONDS
        before = self._of_agent(agent)
        _drop_oldest(self._by_agent)
        self._by_agent[agent] = before.with_one_more(error, keys)

    def keys_refused_for(
        self, request: bytes, agent: str, error: ProviderError, *, key: str
    ) -> list[str]:
        """The keys that were refused for the same request with the same meaning, or for enough
        requests of the agent, `key` among them; [] if none."""
        about, keys, until = self._known.get(request, (None, [], 0.0))
        if about is error.about and monotonic() < until:
            return keys
        of_agent = self._of_agent(agent)
        is_known = error.about in of_agent.meanings and key in of_agent.keys
        return sorted(of_agent.keys) if is_known and of_agent.count >= _REQUESTS_ENOUGH else []

    def forget(self, request: bytes, agent: str) -> None:
        """Forget what was known of the request and of its agent, if anything was."""
        self._known.pop(request, None)
        self._by_agent.pop(agent, None)

    def _of_agent(self, agent: str) -> _OfAgent:
        found = self._by_agent.get(agent)
        return found if found and monotonic() < found.until else _OfAgent(monotonic() + _SECONDS)


def _drop_oldest(known: dict[Any, Any]) -> None:
    """Make room for one more; dicts keep the order of insertion."""
    if len(known) >= _REQUESTS_MAX:
        del known[next(iter(known))]
