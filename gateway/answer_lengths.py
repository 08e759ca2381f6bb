"""How long the last answers of each session were, so that a hold can be smaller than its bound.

Kept in memory, for one process: losing it means that calls wait until the next answer.
"""

from collections import deque

_ANSWERS = 20
_SESSIONS_MAX = 10_000


class AnswerLengths:
    """The output tokens of the last answers, by allocation and model."""

    def __init__(self) -> None:
        self._lengths: dict[tuple[int, str], deque[int]] = {}

    def add(self, allocation_id: int, model: str, output_tokens: int) -> None:
        """Remember the length of one more answer; the oldest is forgotten first."""
        # At the end again, since dicts keep the order of insertion.
        lengths = self._lengths.pop((allocation_id, model), deque(maxlen=_ANSWERS))
        lengths.append(output_tokens)
        self._lengths[allocation_id, model] = lengths
        if len(self._lengths) > _SESSIONS_MAX:
            del self._lengths[next(iter(self._lengths))]

    def longest(self, allocation_id: int, model: str) -> int | None:
        """The longest of the last answers; None before the first."""
        return max(self._lengths.get((allocation_id, model), ()), default=None)
