"""Width and height of an image, read from its file as decoders read it.

A head may say less than the frames after it, so every frame up to the pixels is looked at. What
contradicts the format, or has its pixels too far behind, has no size that can be relied on.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from struct import error as TooShort
from struct import unpack_from

Size = tuple[int, int]

# Enough for any head; a JPEG may carry a preview and colour profiles before its frame.
_HEAD_CHARS = 4 * 128 * 1024

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = b"\0\0\0\rIHDR"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SCAN = 0xDA


class _Unreadable(Exception):
    """The file is not as its format has it."""


def size_of_data_url(url: str) -> Size | None:
    """The size of a PNG, JPEG, GIF or WebP in a base64 data URL; None for anything else."""
    head, _, text = url[: _HEAD_CHARS + 256].partition(",")
    if head[:5].lower() != "data:" or not head.lower().endswith(";base64"):
        return None
    return size_of_base64(text)


def size_of_base64(text: str) -> Size | None:
    """The size of an image in base64; None when it cannot be read."""
    head = "".join(text[:_HEAD_CHARS].split()).rstrip("=")
    if len(head) % 4 == 1:
        head = head[:-1]
    try:
        return size_of(b64decode(head + "=" * (-len(head) % 4), validate=True))
    except (binascii.Error, ValueError):
        return None


def size_of(image: bytes) -> Size | None:
    """The size of an image by its first bytes: the largest that a frame has; None if it cannot be
    read."""
    try:
        sizes = list(_sizes(image))
    except (TooShort, IndexError, _Unreadable):
        return None
    if not sizes or min(map(min, sizes)) == 0:
        return None
    return max(wide for wide, _ in sizes), max(high for _, high in sizes)


def _sizes(image: bytes) -> Iterator[Size]:
    if image.startswith(_PNG):
        return _png(image)
    if image.startswith((b"GIF87a", b"GIF89a")):
        return _gif(image)
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return _webp(image)
    if image.startswith(b"\xff\xd8"):
        return _jpeg(image)
    raise _Unreadable


def _png(image: bytes) -> Iterator[Size]:
    if not image.startswith(_PNG_HEADER, 8):
        raise _Unreadable
    at = 8
    while (kind := image[at + 4 : at + 8]) != b"IDAT":
        if kind == b"IHDR":
            yield unpack_from(">II", image, at + 8)
        at += 12 + unpack_from(">I", image, at)[0]


def _gif(image: bytes) -> Iterator[Size]:
    yield unpack_from("<HH", image, 6)
    at = 13 + _colours(image[10])
    while image[at] != ord(";"):
        if image[at] == ord(","):
            left, top, wide, high, flags = unpack_from("<HHHHB", image, at + 1)
            yield left + wide, top + high
            # The table of colours, and the size of the codes.
            at += 11 + _colours(flags)
        elif image[at] == ord("!"):
            at += 2
        else:
            raise _Unreadable
        while image[at]:
            at += 1 + image[at]
        at += 1


def _colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(image: bytes) -> Iterator[Size]:
    at = 12
    while (kind := image[at : at + 4]) not in (b"VP8 ", b"VP8L"):
        if kind == b"VP8X":
            yield _uint24(image, at + 12) + 1, _uint24(image, at + 15) + 1
        elif kind == b"ANMF":
            # Frames can be followed by larger ones.
            raise _Unreadable
        size = unpack_from("<I", image, at + 4)[0]
        at += 8 + size + size % 2
    if kind == b"VP8L":
        mark, bits = unpack_from("<BI", image, at + 8)
        if mark != 0x2F:
            raise _Unreadable
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        mark, wide, high = unpack_from("<3sHH", image, at + 11)
        if mark != b"\x9d\x01\x2a":
            raise _Unreadable
        yield wide & 0x3FFF, high & 0x3FFF


def _uint24(image: bytes, at: int) -> int:
    return int.from_bytes(image[at : at + 3], "little")


def _jpeg(image: bytes) -> Iterator[Size]:
    at = 2
    while (kind := image[at + 1]) != _JPEG_SCAN:
        if image[at] != 0xFF or not (kind == 0x01 or kind >= 0xC0):
            raise _Unreadable
        if kind in _JPEG_FRAMES:
            high, wide = unpack_from(">HH", image, at + 5)
            yield wide, high
        if kind == 0xFF:
            # A marker may be preceded by any number of fill bytes.
            at += 1
        elif kind in _JPEG_WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + unpack_from(">H", image, at + 2)[0]
