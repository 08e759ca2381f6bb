"""What large JSON consists of, read slice by slice without decoding it.

Decoding makes an object of every value, and copies of every text.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.bounds.slices import slices

_VALUE_BEGINS = (b",", b":", b"[", b"{")
# Two characters that contain a quote or stand before one, and what takes their place: JSON does not
# have it in strings.
_ESCAPES = ((b"\\\\", b"\x01"), (b'\\"', b"\x02"))
# The longest escape is that of a UTF-16 unit.
_ESCAPE_BYTES = 6
_CHARACTER_BYTES, _CHARACTER_BEGINS = 4, 0xC0
_STRING_BYTES_MAX = 256


class _Slice(NamedTuple):
    """A slice of JSON, split at its quotes. `is_inside`: it begins within a string."""

    parts: list[bytes]
    is_inside: bool


def has_more_values(raw: bytes, most: int) -> bool:
    """Whether some JSON, which need not be valid, has more than `most` values and names of fields.

    Reads no further than it must.
    """
    values = strings = 0
    for parts, is_inside in _slices(raw):
        outside = b"".join(parts[int(is_inside) :: 2])
        values += sum(map(outside.count, _VALUE_BEGINS))
        strings += len(parts) // 2
        if values > most or strings > most:
            return True
    return False


def outline(raw: bytes | memoryview) -> bytes:
    """Valid JSON in which other texts stand for those that are long or have escapes.

    It is decoded with `strict=False`. Names of fields are as different in it as they were, if they
    are not extremely long.
    """
    return b"".join(map(_outline, _slices(raw)))


def _outline(part: _Slice) -> bytes:
    begin = 0 if part.is_inside else 1
    part.parts[begin::2] = map(_short, part.parts[begin::2])
    return b'"'.join(part.parts)


def _short(text: bytes) -> bytes:
    return text if len(text) <= _STRING_BYTES_MAX else b"%x" % abs(hash(text))


def _slices(raw: bytes | memoryview) -> Iterator[_Slice]:
    is_inside, rest = False, b""
    for each in slices(raw):
        text = rest + each
        cut = _last_character(text)
        text, rest = text[:cut], text[cut:]
        for escape, stand_in in _ESCAPES:
            text = text.replace(escape, stand_in)
        parts = text.split(b'"')
        yield _Slice(parts, is_inside)
        is_inside ^= len(parts) % 2 == 0
    if rest:
        yield _Slice([rest], is_inside)


def _last_character(text: bytes) -> int:
    """Where an escape or a character begins that may not be whole; the end if none does."""
    end = len(text)
    at = text.rfind(b"\\", end - _ESCAPE_BYTES)
    if at >= 0 and (at + 1 - len(text[: at + 1].rstrip(b"\\"))) % 2:
        return at
    last = range(end - 1, max(end - _CHARACTER_BYTES, 0) - 1, -1)
    return next((at for at in last if text[at] >= _CHARACTER_BEGINS), end)
