"""Sketches: all that is kept of a text."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from prediction.learning.counts import counts_of, totals_of
from prediction.learning.terms import TEXTS_MAX, Sketch, bands_of, excerpt, terms_of, words_of
from prediction.learning.vocabulary import Hasher

# So many characters are read at once: more would not stay in the processor's cache.
_CHARACTERS_AT_ONCE = 20_000


def sketch_of(text: str, hasher: Hasher) -> Sketch:
    """The sketch of a text, which does not give the text back."""
    return _sketches([text], hasher)[0]


def sketches_of(texts: Sequence[str], hasher: Hasher) -> list[Sketch]:
    """The sketches of texts, in their order."""
    return [each for some in _batches(texts) for each in _sketches(some, hasher)]


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = characters = 0
    for place, text in enumerate(texts, 1):
        characters += len(text)
        full = characters >= _CHARACTERS_AT_ONCE or place - start == TEXTS_MAX
        if full or place == len(texts):
            yield texts[start:place]
            start, characters = place, 0


def _sketches(texts: Sequence[str], hasher: Hasher) -> list[Sketch]:
    read = [excerpt(text) for text in texts]
    words = [words_of(each) for each in read]
    lengths = np.array([len(each) for each in words], np.int64)
    reading = hasher.read(list(chain.from_iterable(words)))
    bands = bands_of(reading.hashes, lengths)
    terms = terms_of(reading.hashes, lengths)
    counts = counts_of(texts, read, totals_of(reading.traits, lengths))
    digests = map(hasher.digest, texts)
    return [Sketch(*each) for each in zip(digests, bands, terms, counts, strict=True)]
