"""Texts as keyed hashes: what is kept of a text in place of its words.

A word becomes 8 bytes of BLAKE2b under a secret key, so that a guess cannot be tested without the
key. Words and pairs of neighbours fall into buckets (`terms`, with how often), runs of three words
into a MinHash signature, which tells texts that are nearly the same.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BUCKET_BITS = 18
BUCKETS = 1 << BUCKET_BITS
# A text is read to this many characters, and from its end to a quarter as many: what comes between
# says little more about the work, and a megabyte would take a second.
CHARACTERS_READ = 24_000
_BUCKET_SHIFT = np.uint64(64 - BUCKET_BITS)
TERMS_MAX = 600
# So many texts are looked at together.
TEXTS_MAX = 1 << 12
BANDS = 8
_ROWS_PER_BAND = 4

_WORD = re.compile(r"[a-z0-9_]+|[^\W_]|[^\w\s]")
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]


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


def excerpt(text: str) -> str:
    """The part of a text that is read, in lower case."""
    if len(text) > CHARACTERS_READ:
        text = f"{text[:CHARACTERS_READ]}\n{text[-CHARACTERS_READ // 4 :]}"
    return text.lower()


def words_of(read: str) -> list[str]:
    """The words of an excerpt, and its other signs one by one."""
    return _WORD.findall(read)


def _together(left: Words, right: Words) -> Words:
    # Products of arrays wrap around without a warning.
    mixed: Words = (left * _MIX[0]) ^ (right * _MIX[1]) ^ (left >> np.uint64(29))
    return mixed


def terms_of(words: Words, lengths: Ints) -> list[Terms]:
    """The buckets of the words and pairs of each text; at most TERMS_MAX of them, the more frequent
    first. `words`: of all texts, TEXTS_MAX at most, one after the other; `lengths`: how many each
    text has."""
    pairs = _together(words[:-1], words[1:])
    if len(lengths) == 1:
        # Of one text half of the steps do.
        cells = (np.concatenate([words, pairs]) >> _BUCKET_SHIFT).astype(np.int32)
        cells.sort()
        first = _first_of_equals(cells)
        return [_most_frequent(cells[first], _differences(first, len(cells)))]
    text = np.repeat(np.arange(len(lengths)), lengths)
    paired = text[:-1] == text[1:]
    hashes = np.concatenate([words, pairs[paired]])
    of_text = np.concatenate([text, text[:-1][paired]])
    # A text and a bucket in one number: those of 32 bits are sorted twice as quickly.
    cells = (hashes >> _BUCKET_SHIFT).astype(np.int32)
    cells |= of_text.astype(np.int32) << BUCKET_BITS
    cells.sort()
    first = _first_of_equals(cells)
    counts = _differences(first, len(cells))
    cells = cells[first]
    ends = np.searchsorted(cells, np.arange(1, len(lengths), dtype=np.int32) << BUCKET_BITS)
    cells &= BUCKETS - 1
    bounds = [0, *ends.tolist(), len(cells)]
    # Copies: a text that is kept does not keep those beside it.
    return [
        _most_frequent(cells[start:end].copy(), counts[start:end].copy())
        for start, end in pairwise(bounds)
    ]


def _first_of_equals(cells: NDArray[np.int32]) -> Ints:
    """Where each value of a sorted array begins."""
    is_first = np.ones(len(cells), bool)
    np.not_equal(cells[1:], cells[:-1], out=is_first[1:])
    return is_first.nonzero()[0]


def _differences(starts: Ints, end: int) -> NDArray[np.int32]:
    """How far each start is from the next, the last from the end."""
    found = np.empty(len(starts), np.int32)
    np.subtract(starts[1:], starts[:-1], out=found[:-1], casting="unsafe")
    found[-1:] = end - starts[-1:]
    return found


def _most_frequent(buckets: NDArray[np.int32], counts: NDArray[np.int32]) -> Terms:
    if len(buckets) > TERMS_MAX:
        kept = np.sort(np.argsort(-counts, kind="stable")[:TERMS_MAX])
        buckets, counts = buckets[kept], counts[kept]
    return Terms(buckets, counts)


_SEEDS = np.random.default_rng(20_260_801).integers(
    1, 1 << 63, size=BANDS * _ROWS_PER_BAND, dtype=np.uint64
) | np.uint64(1)


def bands_of(words: Words, lengths: Ints) -> NDArray[np.int64]:
    """The MinHash signature of the runs of three words of each text, folded into BANDS numbers;
    parameters as of `terms_of`."""
    found = np.zeros((len(lengths), BANDS), np.int64)
    if not len(words):
        return found
    runs, counts = _runs(words, lengths)
    some = counts > 0
    starts = (np.cumsum(counts) - counts)[some]
    mixed = (runs ^ (runs >> np.uint64(31)))[:, None] * _SEEDS
    least = np.minimum.reduceat(mixed, starts, axis=0) if len(starts) > 1 else mixed.min(axis=0)
    # The highest bits of a product depend on all bits of its factors.
    least = (least >> np.uint64(16)).reshape(-1, BANDS, _ROWS_PER_BAND)
    folded = least[:, :, 0]
    for column in range(1, _ROWS_PER_BAND):
        folded = _together(folded, least[:, :, column])
    found[some] = folded.view(np.int64)
    return found


def _runs(words: Words, lengths: Ints) -> tuple[Words, Ints]:
    """The runs of three words of each text, one text after the other, and how many each has; of a
    shorter text, its words."""
    if len(lengths) == 1:
        if len(words) < 3:
            return words, lengths
        return _together(_together(words[:-2], words[1:-1]), words[2:]), lengths - 2
    ends = np.cumsum(lengths)
    threes = lengths > 2
    runs = words.copy()
    if len(words) > 2:
        runs[:-2] = _together(_together(words[:-2], words[1:-1]), words[2:])
    short = np.repeat(~threes, lengths)
    runs[short] = words[short]
    kept = np.ones(len(words), bool)
    kept[ends[threes] - 1] = kept[ends[threes] - 2] = False
    return runs[kept], np.where(threes, lengths - 2, lengths)
