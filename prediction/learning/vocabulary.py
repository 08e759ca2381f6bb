"""Words as keyed hashes, and what counts of texts want to know of each word; remembered."""

from collections.abc import Sequence
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning.counts import traits_of

Words = NDArray[np.uint64]
_WORDS_KEPT = 200_000
_SIZE_FIRST = 4_096


class Reading(NamedTuple):
    """Words in order: the hash and the traits of each (`prediction.learning.counts.traits_of`)."""

    hashes: Words
    traits: NDArray[np.uint8]


class Hasher:
    """Hashes words under a secret key, and remembers those it has seen; threads may share it."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]
        self._known = _Known(self._key)

    def digest(self, text: str) -> bytes:
        """16 bytes that are the same for the same text, without regard to case and white space."""
        plain = " ".join(text.lower().split())
        return blake2b(plain.encode("utf-8", "replace"), key=self._key, digest_size=16).digest()

    def read(self, words: Sequence[str]) -> Reading:
        """What is known of the words, in their order."""
        known = self._known
        if len(known) > _WORDS_KEPT:
            # Threads that read by the old one go on with it.
            known = self._known = _Known(self._key)
        places = np.fromiter(map(known.__getitem__, words), np.int64, len(words))
        # Taken after the words were looked up: it has them all.
        found = known.found
        return Reading(found.hashes[places], found.traits[places])


class _Known(dict[str, int]):
    """The place of each word in `found`, which grows: a new word gets the next place."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._lock = Lock()
        self.found = Reading(np.zeros(_SIZE_FIRST, np.uint64), np.zeros(_SIZE_FIRST, np.uint8))

    def __missing__(self, word: str) -> int:
        data = word.encode("utf-8", "replace")
        digest = blake2b(data, key=self._key, digest_size=8).digest()
        with self._lock:
            # Another thread may have added it.
            if (earlier := self.get(word)) is not None:
                return earlier
            place = len(self)
            if place == len(self.found.hashes):
                self.found = Reading(*(np.concatenate([each, each]) for each in self.found))
            self.found.hashes[place] = int.from_bytes(digest, "little")
            self.found.traits[place] = traits_of(word)
            self[word] = place
            return place
