"""A client's HTTP request, read from ASGI, and the response to it."""

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from common import request_body
from common.ids import random_id
from common.refusal import Refusal
from common.request_body import Receive, read_body
from gateway import content_encoding
from gateway.refusals import BodyTooLarge, BodyTooSlow, InvalidRequest
from keys.books.queries.slots import SLOT_PREFIX
from keys.identity.queries.credentials import SESSION_PREFIX
from security.actor import Actor
from security.request_actor import client_address

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
# Called with the size of a body so far; raises a refusal if there is no room for it.
TakeRoom = Callable[[int], object]

_KEY_CHARACTERS_MAX = 200
# Decoding takes time by bytes, and by values: these begin after one of these characters.
_HEAVY_BYTES_MIN, _HEAVY_VALUES_MIN = 1_000_000, 50_000
# A compressed body is decoded in steps of so many pieces.
_DECODED_PIECES = 16
_VALUE_BEGINS = (b",", b"[", b"{")
# Where clients put a credential, in the order in which they are looked at.
_CREDENTIAL_HEADERS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
# Tokens that can pay for a call; all others are another system's, or not for calls.
_TOKEN_PREFIXES = (f"{SESSION_PREFIX}_".encode(), f"{SLOT_PREFIX}_".encode())
# What a route's provider gets of a query. Anything else could name another model or another price
# than the body, which alone is metered.
_QUERY_FORWARDED = dict.fromkeys(("/v1/messages", "/v1/messages/count_tokens"), ("beta", "true"))


class Request:
    """One HTTP request. `id` names it in responses and logs, and is the idempotency key of its
    charge unless the client sent one. `path`: of the route, once that is known, however the client
    wrote it. `model_in_path`: the model that the path names, if any. `body_size`: in bytes, once
    the body was read; `has_heavy_body`: whether it takes far longer than others to be looked at.
    `is_guarded`: `outbound_guard` found nothing to refuse in it. `unusable_keys`: the API keys that
    could not take the call, and why. `unfit_models`: fallbacks that do not take what the request
    has in it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.id = random_id("req_")
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.model_in_path = ""
        self.unusable_keys: dict[str, Refusal] = {}
        self.unfit_models: set[str] = set()
        self._header_pairs: Headers = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self._header_pairs)
        self._peer: tuple[str, int] = scope.get("client") or ("", 0)
        self.receive, self._send = receive, send
        self.response_started = False
        self.body_size, self.has_heavy_body = 0, False
        self.is_guarded = False
        self.token = self._token()

    @property
    def actor(self) -> Actor:
        """The gateway, which decides alone what follows from this request."""
        forwarded = self.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        address = client_address(peer=self._peer[0], forwarded_for=forwarded)
        return Actor.job("gateway", address=address, request_id=self.id)

    def _token(self) -> str:
        """The session token: the first credential that is one, else the first; empty if none.

        Clients often send a key of another system beside it.
        """
        credentials = list(self._credentials())
        own = (each for each in credentials if each.startswith(_TOKEN_PREFIXES))
        token = next(own, credentials[0] if credentials else b"")
        return token.decode("latin-1")

    def _credentials(self) -> Iterator[bytes]:
        for header in _CREDENTIAL_HEADERS:
            if header not in self.headers:
                continue
            for value in [value for name, value in self._header_pairs if name == header]:
                scheme, _, bearer = value.partition(b" ")
                if header != b"authorization":
                    yield value.strip()
                elif scheme.lower() == b"bearer":
                    yield bearer.strip()

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def forwarded_query(self) -> str:
        """The query as the provider gets it."""
        forwarded = _QUERY_FORWARDED.get(self.path)
        if not (self.query and forwarded):
            return ""
        return (
            urlencode([forwarded]) if forwarded in parse_qsl(self.query.decode("latin-1")) else ""
        )

    @property
    def idempotency_key(self) -> str | None:
        """The client's Idempotency-Key; None if it sent none. Refusal: InvalidRequest."""
        key = self.headers.get(b"idempotency-key")
        if key is None:
            return None
        if not 0 < len(key) <= _KEY_CHARACTERS_MAX or not key.isascii() or not _is_printable(key):
            raise InvalidRequest(
                f"Idempotency-Key must be 1 to {_KEY_CHARACTERS_MAX} printable ASCII characters.",
                field="Idempotency-Key",
            )
        return key.decode()

    @property
    def body_size_max(self) -> int | None:
        """The most bytes that the body can have once it is decoded; None if that is not known."""
        if b"transfer-encoding" in self.headers or b"content-encoding" in self.headers:
            return None
        return int(self.headers.get(b"content-length", 0))

    async def body(self, *, bytes_max: int, take_room: TakeRoom = lambda size: None) -> bytes:
        """The whole body, decoded. `take_room` is called with the size that is expected, and with
        what it turns out to be.

        Refusals: BodyTooLarge, BodyTooSlow, InvalidRequest, and those of `take_room`.
        """
        encodings = self._encodings()
        expected = self.body_size_max or 0
        if expected > bytes_max:
            raise _too_large(bytes_max)
        take_room(expected)
        body = await self._read(bytes_max, take_room)
        if encodings:
            body = await _decode(body, encodings, bytes_max, take_room)
        body = body.removeprefix(codecs.BOM_UTF8)
        self.body_size, self.has_heavy_body = len(body), _is_heavy(body)
        return body

    def _encodings(self) -> list[str]:
        header = self.headers.get(b"content-encoding")
        if not header:
            return []
        try:
            return content_encoding.encodings_of(header.decode("latin-1"))
        except content_encoding.UnknownEncoding as error:
            raise InvalidRequest(
                f"The encoding {str(error)!r} of the body is not supported. Send the body without "
                "Content-Encoding, or as gzip, deflate, br or zstd.",
                field="Content-Encoding",
            ) from None

    async def _read(self, bytes_max: int, take_room: TakeRoom) -> bytes:
        try:
            return await read_body(self.receive, bytes_max=bytes_max, take_room=take_room)
        except request_body.BodyTooLarge:
            raise _too_large(bytes_max) from None
        except request_body.BodyTooSlow:
            raise BodyTooSlow("The body of the request did not arrive in time.") from None

    async def wait_for_disconnect(self) -> None:
        """Wait until the client closes its connection. Only after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            continue

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self.response_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the body; `more` False: the last piece."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response."""
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await self.start(status, headers)
        await self.write(b"" if self.method == "HEAD" else body, more=False)


def _is_heavy(body: bytes) -> bool:
    return len(body) > _HEAVY_BYTES_MIN or (
        len(body) > _HEAVY_VALUES_MIN and sum(map(body.count, _VALUE_BEGINS)) > _HEAVY_VALUES_MIN
    )


def _is_printable(key: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in key)


async def _decode(body: bytes, encodings: list[str], bytes_max: int, take_room: TakeRoom) -> bytes:
    decoder = content_encoding.Decoder(encodings, size_max=bytes_max)
    pieces = decoder.pieces(body)
    decoded: list[bytes] = []
    try:
        # Little can become much, so there must be room for each step before the next one.
        while step := await asyncio.to_thread(list, islice(pieces, _DECODED_PIECES)):
            decoded += step
            take_room(sum(map(len, decoded)))
            if len(step) < _DECODED_PIECES:
                break
        decoder.close()
        return b"".join(decoded)
    except content_encoding.DecodedTooLarge:
        raise _too_large(bytes_max) from None
    except content_encoding.CannotDecode as error:
        raise InvalidRequest(
            f"The body cannot be decoded as {', '.join(encodings)}: {error}.",
            field="Content-Encoding",
        ) from None


def _too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body of this route must not exceed {bytes_max:,} bytes.")
