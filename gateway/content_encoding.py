"""Decode `Content-Encoding`: gzip, deflate, br, zstd and several of them, within a bound."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
from backports import zstd

# How much is decoded at a time. A body of a few bytes can decode to gigabytes.
_PIECE_BYTES = 64 * 1024
# A decoder that must look further back is not for a message over HTTP (RFC 9659).
_ZSTD_WINDOW_LOG_MAX = 23
_ENCODINGS_MAX = 4
_GZIP_WINDOW, _ZLIB_WINDOW, _RAW_WINDOW = 31, 15, -15

_ERRORS = (zlib.error, zstd.ZstdError, brotli.error, EOFError)


class UnknownEncoding(Exception):
    """The body has an encoding that is not supported; the text is the name."""


class CannotDecode(Exception):
    """The body is not what its encoding says, or is cut off."""


class DecodedTooLarge(Exception):
    """The decoded body is larger than the bound."""


def encodings_of(header: str) -> list[str]:
    """The encodings that a `Content-Encoding` names, without those that change nothing.

    Raises UnknownEncoding.
    """
    names = [name.strip().lower() for name in header.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if unknown := next((name for name in names if name not in _STAGES), None):
        raise UnknownEncoding(unknown)
    if len(names) > _ENCODINGS_MAX:
        raise UnknownEncoding(header)
    return names


class Decoder:
    """Decodes a body as it arrives. `encodings`: in the order in which they were applied."""

    def __init__(self, encodings: list[str], *, size_max: int) -> None:
        self._stages = [_STAGES[name]() for name in reversed(encodings)]
        self._sizes = [0] * len(encodings)
        self._size_max = size_max
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to so far, in small pieces, each decoded when it is asked for.

        Raises CannotDecode, DecodedTooLarge.
        """
        self._begun = self._begun or bool(data)
        try:
            yield from self._decode(data, 0)
        except _ERRORS as error:
            raise CannotDecode(str(error)) from error

    def close(self) -> None:
        """Call at the end of the body. Raises CannotDecode if it is cut off."""
        if self._begun and not all(stage.ended for stage in self._stages):
            raise CannotDecode("it is cut off")

    def _decode(self, data: bytes, number: int) -> Iterator[bytes]:
        if number == len(self._stages):
            yield data
            return
        for piece in self._stages[number].pieces(data):
            # Every stage is bounded: the next one can make little out of much.
            self._sizes[number] += len(piece)
            if self._sizes[number] > self._size_max:
                raise DecodedTooLarge
            yield from self._decode(piece, number + 1)


class _Stage(Protocol):
    """One encoding. `ended`: the encoded data is whole."""

    @property
    def ended(self) -> bool: ...

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to, in pieces of about `_PIECE_BYTES`."""


class _Gzip:
    """Also of several members; what follows the last one is ignored."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def ended(self) -> bool:
        return self._decompressor.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._decompressor.eof:
                if not data.startswith(b"\x1f"):
                    return
                self._decompressor = zlib.decompressobj(_GZIP_WINDOW)
            yield from _inflate(self._decompressor, data)
            data = self._decompressor.unused_data


class _Deflate:
    """With zlib's header, as it is specified, or without, as some send it."""

    def __init__(self) -> None:
        self._decompressor: zlib._Decompress | None = None

    @property
    def ended(self) -> bool:
        return self._decompressor is not None and self._decompressor.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if self._decompressor is None:
            # The low half of the first byte is the method, 8, in zlib's header. A raw block that
            # begins so would be a stored one with bits that compressors leave 0.
            window = _ZLIB_WINDOW if data[0] & 0x0F == 8 else _RAW_WINDOW
            self._decompressor = zlib.decompressobj(window)
        if not self._decompressor.eof:
            yield from _inflate(self._decompressor, data)


def _inflate(decompressor: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    more = True
    while more:
        piece = decompressor.decompress(data, _PIECE_BYTES)
        data = decompressor.unconsumed_tail
        # A full piece: there may be more that needs no further input.
        more = not decompressor.eof and (bool(data) or len(piece) == _PIECE_BYTES)
        if piece:
            yield piece


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._decompressor.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while not self.ended:
            piece = self._decompressor.process(data, output_buffer_limit=_PIECE_BYTES)
            data = b""
            if piece:
                yield piece
            elif self._decompressor.can_accept_more_data():
                return


class _Zstd:
    """Also of several frames."""

    def __init__(self) -> None:
        self._decompressor = _zstd_decompressor()

    @property
    def ended(self) -> bool:
        return self._decompressor.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data or not self._decompressor.needs_input:
            if self._decompressor.eof:
                self._decompressor = _zstd_decompressor()
            piece = self._decompressor.decompress(data, _PIECE_BYTES)
            data = self._decompressor.unused_data if self._decompressor.eof else b""
            if piece:
                yield piece
            if self._decompressor.eof and not data:
                return


def _zstd_decompressor() -> zstd.ZstdDecompressor:
    window = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG_MAX}
    return zstd.ZstdDecompressor(options=window)


_STAGES: dict[str, Callable[[], _Stage]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
