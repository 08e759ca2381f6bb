"""Entries whose reading is told."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

_Entry = TypeVar("_Entry")
# Entries between two calls.
_STEP = 1_000


class Counted(Generic[_Entry]):
    """The same entries; each loop over them tells how many were taken since."""

    def __init__(self, entries: Iterable[_Entry], tell: Callable[[int], None]) -> None:
        self._entries, self._tell = entries, tell

    def __iter__(self) -> Iterator[_Entry]:
        count = 0
        for count, entry in enumerate(self._entries, 1):
            yield entry
            if count % _STEP == 0:
                self._tell(_STEP)
        self._tell(count % _STEP)
