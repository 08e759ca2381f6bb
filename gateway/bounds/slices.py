"""Look at long texts in slices, so that one text never keeps other threads waiting for long.

Functions written in C keep the interpreter's lock until they return.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

_SLICE_BYTES = 64 * 1024
_PIECE_BYTES = 8 * 1024
# Some of these are in every text that is not meant to have none.
_CUTS = tuple(bytes([each]) for each in b'" ,.\naeion01')


def slices(raw: bytes | memoryview, *, overlap: int = 0) -> Iterator[bytes]:
    """`raw` in slices, each of which begins `overlap` bytes before the end of the one before."""
    for start in range(0, len(raw) or 1, _SLICE_BYTES):
        yield bytes(raw[max(start - overlap, 0) : start + _SLICE_BYTES])


def contains_any(raw: bytes, words: Collection[bytes]) -> bool:
    """Whether any of `words` is in `raw`."""
    overlap = max(map(len, words))
    return any(word in each for each in slices(raw, overlap=overlap) for word in words)


def utf8(text: str) -> bytes:
    """A text in UTF-8; lone surrogates as they are."""
    return b"".join(_encoded(text))


def utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8."""
    return len(text) if text.isascii() else sum(map(len, _encoded(text)))


def _encoded(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _SLICE_BYTES):
        yield text[start : start + _SLICE_BYTES].encode("utf-8", "surrogatepass")


class Piece(NamedTuple):
    """A piece of a text in UTF-8. `is_apart`: it begins with an ASCII character, which no character
    before it combines with."""

    raw: bytes
    is_apart: bool


def pieces(raw: bytes) -> Iterator[Piece]:
    """A text in UTF-8 in pieces of whole characters."""
    start, is_apart = 0, True
    while len(raw) - start > _PIECE_BYTES:
        cut, cuts_apart = _cut(raw, start)
        yield Piece(raw[start:cut], is_apart)
        start, is_apart = cut, cuts_apart
    yield Piece(raw[start:], is_apart)


def _cut(raw: bytes, start: int) -> tuple[int, bool]:
    end = start + _PIECE_BYTES
    if (cut := max(raw.rfind(each, start + 1, end) for each in _CUTS)) > 0:
        return cut, True
    # A character has at most four bytes.
    return next((at for at in range(end, end - 4, -1) if raw[at] & 0xC0 != 0x80), end), False
