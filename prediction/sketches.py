"""Sketches as bytes, and the secret under which this installation hashes words."""

from collections.abc import Iterable
from functools import cache
from hashlib import blake2b

import numpy as np

from prediction.learning.counts import NAMES
from prediction.learning.sketch import sketches_of
from prediction.learning.terms import BANDS, BUCKETS, Sketch, Terms
from prediction.learning.vocabulary import Hasher
from security import tokens

# The layout of `pack`; raised when it changes, so that older sketches are left out.
_FORMAT = 1
# A sketch has some 5 kB.
_KEPT_MAX = 1_000
_kept: dict[bytes, Sketch] = {}


@cache
def hasher() -> Hasher:
    """The hasher of this installation; its key comes from the pepper."""
    return Hasher(tokens.keyed_hash("prediction: words"))


def sketch(text: str) -> Sketch:
    """The sketch of a text."""
    return sketches([text])[text]


def sketches(texts: Iterable[str]) -> dict[str, Sketch]:
    """The sketch of each text. Those of the last texts are kept, under a hash: a text for which a
    budget is wanted was often estimated just before."""
    keys = {text: _key(text) for text in dict.fromkeys(texts)}
    known = {text: _kept.get(key) for text, key in keys.items()}
    found = {text: made for text, made in known.items() if made is not None}
    new = [text for text in keys if text not in found]
    for text, made in zip(new, sketches_of(new, hasher()), strict=True):
        found[text] = made
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[keys[text]] = made
    return found


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def pack(sketch: Sketch) -> bytes:
    """Bytes: the format, bands, counts of the text, then buckets and how often each occurs."""
    often = np.minimum(sketch.terms.counts, 65_535)
    return b"".join(
        [
            bytes([_FORMAT]),
            sketch.bands.astype("<i8").tobytes(),
            sketch.counts.astype("<f4").tobytes(),
            sketch.terms.buckets.astype("<i4").tobytes(),
            often.astype("<u2").tobytes(),
        ]
    )


def unpack(digest: bytes, data: bytes) -> Sketch | None:
    """The sketch of `pack`; None if it has another format or is damaged."""
    bands_end = 1 + 8 * BANDS
    head = bands_end + 4 * len(NAMES)
    if len(data) < head or data[0] != _FORMAT or (len(data) - head) % 6:
        return None
    size = (len(data) - head) // 6
    buckets = np.frombuffer(data, "<i4", size, head)
    counts = np.frombuffer(data, "<f4", len(NAMES), bands_end)
    often = np.frombuffer(data, "<u2", size, head + 4 * size).astype(np.int32)
    sound = np.isfinite(counts).all() and (often > 0).all()
    if not sound or ((buckets < 0) | (buckets >= BUCKETS)).any():
        return None
    return Sketch(digest, np.frombuffer(data, "<i8", BANDS, 1), Terms(buckets, often), counts)
