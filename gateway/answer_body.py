"""Read the body of a provider's answer: decoded, within a bound, and known by its first bytes."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator

import aiohttp
from django.conf import settings

from gateway.content_encoding import (
    CannotDecode,
    DecodedTooLarge,
    Decoder,
    UnknownEncoding,
    encodings_of,
)
from gateway.dialects import sse

# What aiohttp may raise while an answer is read.
CONNECTION_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
# What one turn of the event loop handles of an answer that comes faster than that.
_PIECE_BYTES_MAX = 16_384
# No JSON and no event begins with it.
_GZIP_MARK = b"\x1f"
_GZIP = ("gzip", "x-gzip")
# JSON and events; nothing compressed begins with so many bytes of plain ASCII.
_TEXT = re.compile(rb"\s*(?:[\[{]|data:|event:|id:|:)[\t\n\r -~]{16}")


class Lost(Exception):
    """The call was sent, but its answer did not come back, came back in part, or is too large."""


class AnswerBody:
    """The body of one answer: `is_event_stream`, then `next_chunk` to its end, or `read`, which can
    be repeated."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._size_max = settings.GATEWAY_ANSWER_BYTES_MAX
        self._size = 0
        self._whole: bytes | None = None
        self._lost: Lost | None = None
        self._chunks: list[bytes] = []
        self._decoder: Decoder | None = None
        self._pieces: Iterator[bytes] = iter(())
        # What has been read and not handed out yet.
        self._waiting: deque[bytes] = deque()

    @property
    def has_more_waiting(self) -> bool:
        """Whether the next piece is there already, so that `next_chunk` lets nobody else go on."""
        return bool(self._waiting)

    async def is_event_stream(self) -> bool:
        """Whether the answer is a stream of events, by its type or else by its first bytes.

        Raises Lost.
        """
        if self._response.content_type == "text/event-stream":
            return True
        head = b""
        while (found := sse.begins_events(head)) is None:
            chunk = await self.next_chunk()
            if not chunk:
                break
            head += chunk
        if head:
            self._waiting.appendleft(head)
        return bool(found)

    async def read(self) -> bytes:
        """The whole body. Raises Lost."""
        if self._lost is not None:
            raise self._lost
        if self._whole is None:
            try:
                self._whole = await self._read()
            except Lost as error:
                self._lost = error
                raise
        return self._whole

    @property
    def beginning(self) -> bytes:
        """What `read` has read of a body that is lost, decoded."""
        return b"".join(self._chunks)

    @property
    def announced_size(self) -> int:
        """How many bytes the whole body has, as its header says; 0 if that is not known."""
        size = self._response.headers.get("content-length", "")
        return int(size) if size.isdecimal() and self._decoder is None else 0

    async def _read(self) -> bytes:
        while chunk := await self.next_chunk():
            self._chunks.append(chunk)
        if not self._chunks and self._may_be_cut_off:
            raise Lost("empty")
        whole, self._chunks = self.beginning, []
        return whole

    async def next_chunk(self) -> bytes:
        """The next piece of the body, decoded; empty at its end. Raises Lost.

        Nothing is lost if it is cancelled.
        """
        if self._waiting:
            return self._waiting.popleft()
        chunk = await self._read_chunk()
        for at in range(_PIECE_BYTES_MAX, len(chunk), _PIECE_BYTES_MAX):
            self._waiting.append(chunk[at : at + _PIECE_BYTES_MAX])
        return chunk[:_PIECE_BYTES_MAX]

    async def _read_chunk(self) -> bytes:
        try:
            if self._decoder is None:
                return await self._next_plain()
            return await self._next_decoded(self._decoder)
        except (*CONNECTION_ERRORS, CannotDecode, DecodedTooLarge) as error:
            # Its text, and that of its causes, may repeat what the provider sent.
            raise Lost(type(error).__name__) from None

    async def _next_plain(self) -> bytes:
        chunk = await self._response.content.readany()
        if not self._size and (encodings := self._encodings(chunk)):
            self._decoder = Decoder(encodings, size_max=self._size_max)
            self._pieces = self._decoder.pieces(chunk)
            return await self._next_decoded(self._decoder)
        self._size += len(chunk)
        if self._size > self._size_max:
            raise DecodedTooLarge
        return chunk

    def _encodings(self, first_chunk: bytes) -> list[str]:
        """How the body is encoded: as its header says, unless its first byte says otherwise."""
        try:
            said = encodings_of(self._response.headers.get("content-encoding", ""))
        except UnknownEncoding:
            said = []
        is_gzip = first_chunk.startswith(_GZIP_MARK)
        if said and (_begins_text(first_chunk) or (said[-1] in _GZIP and not is_gzip)):
            return []
        found = said or (["gzip"] if is_gzip else [])
        return ["gzip", *found] if found and self._is_gzip_again(found, first_chunk) else found

    def _is_gzip_again(self, encodings: list[str], first_chunk: bytes) -> bool:
        """Whether what `encodings` leave is gzip: a CDN compressed what was compressed."""
        decoder = Decoder(encodings, size_max=self._size_max)
        return next(decoder.pieces(first_chunk), b"").startswith(_GZIP_MARK)

    async def _next_decoded(self, decoder: Decoder) -> bytes:
        while True:
            # A few bytes can decode to very many, and other calls must not wait for that.
            await asyncio.sleep(0)
            if piece := next(self._pieces, b""):
                return piece
            chunk = await self._response.content.readany()
            if not chunk:
                decoder.close()
                return b""
            self._pieces = decoder.pieces(chunk)

    @property
    def _may_be_cut_off(self) -> bool:
        """Whether the answer has no length, so that its end looks like a broken connection."""
        headers = self._response.headers
        return "content-length" not in headers and "transfer-encoding" not in headers


def _begins_text(chunk: bytes) -> bool:
    """Whether a body is plain although its header names an encoding: some proxies decode it and
    keep the header."""
    return _TEXT.match(chunk) is not None
