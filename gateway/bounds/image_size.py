"""Width and height of an image, read from the head of its file."""

import binascii
from base64 import b64decode
from struct import error as TooShort
from struct import unpack, unpack_from

Size = tuple[int, int]

# Enough for any head; a JPEG may carry a preview and colour profiles before its frame.
_HEAD_CHARS = 4 * 128 * 1024

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of_data_url(url: str) -> Size | None:
    """The size of a PNG, JPEG, GIF or WebP in a base64 data URL; None for anything else."""
    head, _, text = url[: _HEAD_CHARS + 256].partition(",")
    if head[:5].lower() != "data:" or not head.lower().endswith(";base64"):
        return None
    return size_of_base64(text)


def size_of_base64(text: str) -> Size | None:
    """The size of an image in base64; None when it cannot be read."""
    head = text[:_HEAD_CHARS].rstrip("=")
    try:
        return size_of(b64decode(head[: len(head) // 4 * 4]))
    except (binascii.Error, ValueError):
        return None


def size_of(image: bytes) -> Size | None:
    """The size of an image by its first bytes; None if it cannot be read."""
    try:
        size = _read(image)
    except (TooShort, IndexError):
        return None
    return size if size and min(size) > 0 else None


def _read(image: bytes) -> Size | None:
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return unpack_from(">II", image, 16)
    if image.startswith((b"GIF87a", b"GIF89a")):
        return unpack_from("<HH", image, 6)
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return _webp(image)
    if image.startswith(b"\xff\xd8"):
        return _jpeg(image)
    return None


def _webp(image: bytes) -> Size | None:
    match image[12:16]:
        case b"VP8X":
            wide, high = (unpack("<I", image[at : at + 3] + b"\0")[0] + 1 for at in (24, 27))
            return wide, high
        case b"VP8 ":
            wide, high = unpack_from("<HH", image, 26)
            return wide & 0x3FFF, high & 0x3FFF
        case b"VP8L":
            (bits,) = unpack_from("<I", image, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _jpeg(image: bytes) -> Size | None:
    at = 2
    while image[at] == 0xFF:
        if image[at + 1] in _JPEG_FRAMES:
            high, wide = unpack_from(">HH", image, at + 5)
            return wide, high
        # A marker may be preceded by any number of fill bytes.
        fill = image[at + 1] == 0xFF
        at += 1 if fill else 2 + unpack_from(">H", image, at + 2)[0]
    return None
