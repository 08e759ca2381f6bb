"""Texts as keyed hashes: what is kept of a text in place of its words.

A word becomes 8 bytes of BLAKE2b under a secret key, so that a guess cannot be tested without the
key. Words and pairs of neighbours fall into buckets (`terms`, with how often), runs of three words
into a MinHash signature, which tells texts that are nearly the same.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BUCKET_BITS = 18
BUCKETS = 1 << BUCKET_BITS
# A text is read to this many characters, and from its end to a quarter as many: what comes between
# says little more about the work, and a megabyte would take a second.
CHARACTERS_READ = 24_000
TERMS_MAX = 600
BANDS = 8
_ROWS_PER_BAND = 4
_WORDS_KEPT = 200_000

_WORD = re.compile(r"[a-z0-9_]+|[^\W_]|[^\w\s]")
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))

Words = NDArray[np.uint64]


class Terms(NamedTuple):
    """The buckets of a text, rising, and how often each occurs."""

    buckets: NDArray[np.int32]
    counts: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a text. `digest`: equal for equal texts; `bands`: equal ones tell near
    duplicates; `counts`: see `prediction.learning.counts`."""

    digest: bytes
    bands: NDArray[np.int64]
    terms: Terms
    counts: NDArray[np.float32]


class Hasher:
    """Hashes words under a secret key, and remembers those it has seen."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]
        self._words: dict[str, int] = {}

    def digest(self, text: str) -> bytes:
        """16 bytes that are the same for the same text, without regard to case and white space."""
        plain = " ".join(text.lower().split())
        return blake2b(plain.encode("utf-8", "replace"), key=self._key, digest_size=16).digest()

    def hashes(self, words: list[str]) -> Words:
        """The hashes of the words in order."""
        known = self._words
        new = set(words).difference(known)
        if len(known) + len(new) > _WORDS_KEPT:
            known.clear()
            new = set(words)
        for word in new:
            known[word] = self._word(word)
        return np.fromiter(map(known.__getitem__, words), np.uint64, len(words))

    def _word(self, word: str) -> int:
        data = word.encode("utf-8", "replace")
        return int.from_bytes(blake2b(data, key=self._key, digest_size=8).digest(), "little")


def excerpt(text: str) -> str:
    """The part of a text that is read, in lower case."""
    if len(text) > CHARACTERS_READ:
        text = f"{text[:CHARACTERS_READ]}\n{text[-CHARACTERS_READ // 4 :]}"
    return text.lower()


def words_of(read: str) -> list[str]:
    """The words of an excerpt, and its other signs one by one."""
    return _WORD.findall(read)


def _together(left: Words, right: Words) -> Words:
    with np.errstate(over="ignore"):
        mixed: Words = (left * _MIX[0]) ^ (right * _MIX[1]) ^ (left >> np.uint64(29))
    return mixed


def terms_of(words: Words) -> Terms:
    """The buckets of the words and pairs; at most TERMS_MAX of them, the more frequent first."""
    pairs = _together(words[:-1], words[1:]) if len(words) > 1 else words[:0]
    hashes = np.concatenate([words, pairs])
    found = (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int32)
    buckets, counts = np.unique(found, return_counts=True)
    if len(buckets) > TERMS_MAX:
        kept = np.sort(np.argsort(-counts, kind="stable")[:TERMS_MAX])
        buckets, counts = buckets[kept], counts[kept]
    return Terms(buckets, counts.astype(np.int32))


_SEEDS = np.random.default_rng(20_260_801).integers(
    1, 1 << 63, size=BANDS * _ROWS_PER_BAND, dtype=np.uint64
) | np.uint64(1)


def bands_of(words: Words) -> NDArray[np.int64]:
    """The MinHash signature of runs of three words, folded into BANDS numbers."""
    if not len(words):
        return np.zeros(BANDS, np.int64)
    runs = words
    if len(words) > 2:
        runs = _together(_together(words[:-2], words[1:-1]), words[2:])
    with np.errstate(over="ignore"):
        # The highest bits of a product depend on all bits of its factors.
        mixed = ((runs[:, None] ^ (runs[:, None] >> np.uint64(31))) * _SEEDS) >> np.uint64(16)
        least = mixed.min(axis=0).reshape(BANDS, _ROWS_PER_BAND)
        folded = least[:, 0]
        for column in range(1, _ROWS_PER_BAND):
            folded = _together(folded, least[:, column])
    signed: NDArray[np.int64] = folded.view(np.int64)
    return signed
