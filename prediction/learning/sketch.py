"""Sketches: all that is kept of a text."""

from prediction.learning.counts import counts_of
from prediction.learning.terms import Hasher, Sketch, bands_of, excerpt, terms_of, words_of


def sketch_of(text: str, hasher: Hasher) -> Sketch:
    """The sketch of a text, which does not give the text back."""
    read = excerpt(text)
    words = words_of(read)
    hashes = hasher.hashes(words)
    counts = counts_of(text, read, words)
    return Sketch(hasher.digest(text), bands_of(hashes), terms_of(hashes), counts)
