"""How long the last answers were, so that a hold can be smaller than its bound.

Kept in memory, for one process: losing it means that calls wait until enough is known again.
"""

from collections import deque
from collections.abc import Hashable
from math import ceil
from typing import NamedTuple

_ANSWERS = 20
_ANSWERS_OF_AGENT = 500
_REMEMBERED_MAX = 10_000
# An answer is hardly ever longer than the last ones of its session by this factor, or than these
# tokens.
_LIKELY_FACTOR = 4
_LIKELY_TOKENS_MIN = 1024
# With this share, the smallest answer that is conformal is one of 99.
_SHARE, ANSWERS_MIN = 0.99, 99


class Asker(NamedTuple):
    """Whose answers are alike: those of a session, and of its agent, on one model."""

    allocation_id: int
    agent: str
    model: str


class AnswerLengths:
    """The output tokens of the last answers, by session and model, and by agent and model."""

    def __init__(self) -> None:
        self._of_sessions: dict[Hashable, deque[int]] = {}
        self._of_agents: dict[Hashable, deque[int]] = {}

    def add(self, asker: Asker, output_tokens: int) -> None:
        """Remember the length of one more answer; the oldest is forgotten first."""
        allocation_id, agent, model = asker
        _add(self._of_sessions, (allocation_id, model), output_tokens, most=_ANSWERS)
        _add(self._of_agents, (agent, model), output_tokens, most=_ANSWERS_OF_AGENT)

    def longest(self, asker: Asker) -> int | None:
        """The longest of the session's last answers; None before the first."""
        return max(self._of_sessions.get((asker.allocation_id, asker.model), ()), default=None)

    def p99(self, asker: Asker) -> int | None:
        """The length that 99 of 100 answers of the agent do not exceed: their conformal quantile;
        None below 99 answers."""
        lengths = sorted(self._of_agents.get((asker.agent, asker.model), ()))
        if len(lengths) < ANSWERS_MIN:
            return None
        return lengths[ceil((len(lengths) + 1) * _SHARE) - 1]

    def likely(self, asker: Asker) -> int | None:
        """The most tokens that the next answer is likely to have; None where nothing is known.

        P99 of the agent, and never less than the session's last answers had; before that is known,
        four times the longest of them.
        """
        longest, p99 = self.longest(asker), self.p99(asker)
        if p99 is not None:
            return max(p99, longest or 0, _LIKELY_TOKENS_MIN)
        if longest is None:
            return None
        return max(longest * _LIKELY_FACTOR, _LIKELY_TOKENS_MIN)


def _add(known: dict[Hashable, deque[int]], key: Hashable, tokens: int, *, most: int) -> None:
    # At the end again, since dicts keep the order of insertion.
    lengths = known.pop(key, None)
    if lengths is None:
        lengths = deque(maxlen=most)
    lengths.append(tokens)
    known[key] = lengths
    if len(known) > _REMEMBERED_MAX:
        del known[next(iter(known))]
