"""Take an API key's secret out of what a provider sends, in the forms that it can have there.

They are: as it is, in capitals or small letters, in hexadecimal digits, in base64 from any byte on,
and each of these with characters escaped as in JSON, URLs or HTML.
"""

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache

from gateway.dialects.output_count import StreamedText

_REPLACEMENT = b"[secret]"
# A shorter one is a word that answers may contain, such as `ollama`, and not a secret.
_SECRET_BYTES_MIN = 12
# A beginning of fewer bytes tells nothing, and is in many texts.
_BEGINNING_BYTES = 4

# Printable characters, the only ones of a secret, as JSON (also JSON within JSON) and other
# languages, URLs and HTML escape them. Each branch begins with a character: that is fast to find.
_ESCAPED = re.compile(
    rb"\\\\*(?:[uU]00|[xX])([2-7][0-9a-fA-F])|%([2-7][0-9a-fA-F])|&#[xX]0*([2-7][0-9a-fA-F]);"
    rb"|&#0*([0-9]{2,3});|\\\\*(/)"
)
# Forms differ in capitals and in the alphabet of base64, which makes no difference here.
_FOLD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", b"abcdefghijklmnopqrstuvwxyz+/")


def is_secret(value: str | bytes) -> bool:
    """Whether it is not just a word."""
    return len(value) >= _SECRET_BYTES_MIN


def scrub(piece: bytes, secret: str) -> bytes:
    """`piece` without the secret in any of its forms.

    What is not text, and could hide it in compressed form, is made unreadable.
    """
    if not is_secret(secret):
        return piece
    if not piece.isascii():
        piece = piece.decode(errors="replace").encode()
    forms, folded = _forms(secret), piece.translate(_FOLD)
    if _has_any(folded, forms):
        return _replace(piece, forms)
    if b"%" in piece or b"\\" in piece or b"&#" in piece:
        plain = _ESCAPED.sub(_character, folded)
        if len(plain) < len(piece) and _has_any(plain.translate(_FOLD), forms):
            return _replace(piece, forms)
    return piece


def _has_any(piece: bytes, forms: tuple[bytes, ...]) -> bool:
    # A loop, since every event of every stream comes here.
    for form in forms:  # noqa: SIM110
        if form in piece:
            return True
    return False


# The keys of a process; each has a few hundred bytes.
@lru_cache(maxsize=4096)
def _forms(secret: str) -> tuple[bytes, ...]:
    plain = secret.encode()
    encoded = (_base64_core(plain, before) for before in range(3))
    return tuple(form.translate(_FOLD) for form in (plain, plain.hex().encode(), *encoded))


def _base64_core(plain: bytes, before: int) -> bytes:
    """The base64 of `plain` behind so many other bytes, without characters that others decide."""
    encoded = base64.b64encode(bytes(before) + plain)
    first = -(-before * 8 // 6)
    return encoded[first : (before + len(plain)) * 8 // 6]


def _character(escaped: re.Match[bytes]) -> bytes:
    digits = escaped[1] or escaped[2] or escaped[3]
    if digits:
        return bytes.fromhex(digits.decode())
    code = int(escaped[4] or b"47")
    return bytes([code]) if code < 128 else escaped[0]


def _replace(piece: bytes, forms: tuple[bytes, ...]) -> bytes:
    plain, origin_of = _unescape(piece)
    replaced, end = bytearray(), 0
    for start, stop in _spans(plain, forms):
        if (begins := origin_of(start)) >= end:
            replaced += piece[end:begins] + _REPLACEMENT
        end = max(end, origin_of(stop))
    return bytes(replaced + piece[end:])


def _unescape(piece: bytes) -> tuple[bytes, Callable[[int], int]]:
    """The bytes without escapes, folded, and where a place in them is in `piece`."""
    plain, ends, shifts, at = bytearray(), [0], [0], 0
    for escaped in _ESCAPED.finditer(piece):
        plain += piece[at : escaped.start()] + _character(escaped)
        at = escaped.end()
        ends.append(len(plain))
        shifts.append(at - len(plain))
    plain = (plain + piece[at:]).translate(_FOLD)
    return bytes(plain), lambda place: place + shifts[bisect_right(ends, place) - 1]


def _spans(plain: bytes, forms: tuple[bytes, ...]) -> list[tuple[int, int]]:
    """Where a form begins and ends, in the order of their beginnings."""
    return sorted(span for form in forms for span in _places(plain, form))


def _places(plain: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    at = plain.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = plain.find(form, at + len(form))


class CutSecrets:
    """Keeps a secret back that a stream sends in pieces: events wait while the text ends with the
    beginning of the secret, and are dropped once it is whole."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._waiting: list[bytes] = []
        self._seen = 0

    def pass_on(self, event: bytes, text: StreamedText) -> bytes:
        """What the client gets now that `event` came, with which the answer so far is `text`."""
        new, self._seen = len(text) - self._seen, len(text)
        if not is_secret(self._secret) or not (new or self._waiting):
            return event
        tail = text.tail(new + len(self._secret) - 1)
        if self._secret in tail:
            self._waiting.clear()
            return b""
        self._waiting.append(event)
        return b"" if self._is_begun(tail) else self.rest()

    def rest(self) -> bytes:
        """What waits."""
        events, self._waiting = b"".join(self._waiting), []
        return events

    def _is_begun(self, tail: bytes) -> bool:
        """Whether the text ends with a beginning of the secret."""
        beginning = self._secret[:_BEGINNING_BYTES]
        at = tail.find(beginning, 1 - len(self._secret))
        while at >= 0 and not self._secret.startswith(tail[at:]):
            at = tail.find(beginning, at + 1)
        return at >= 0
