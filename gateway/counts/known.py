"""Counts that are known, by the digest of what was counted."""

import asyncio
from collections import OrderedDict

# About 10 MB.
_COUNTS_MAX = 50_000


class KnownCounts:
    """The counts of one process; the one that was not used for longest is forgotten first.

    `running`: questions under way, so that calls with the same content ask once.
    """

    def __init__(self, *, counts_max: int = _COUNTS_MAX) -> None:
        self.running: dict[bytes, asyncio.Task[int | None]] = {}
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._counts_max = counts_max

    def of(self, digest: bytes) -> int | None:
        """The count of what has this digest; None if it is not known."""
        if digest in self._counts:
            self._counts.move_to_end(digest)
        return self._counts.get(digest)

    def add(self, digest: bytes, tokens: int) -> None:
        """Remember a count."""
        self._counts[digest] = tokens
        self._counts.move_to_end(digest)
        if len(self._counts) > self._counts_max:
            self._counts.popitem(last=False)
