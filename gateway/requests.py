"""A client's HTTP request, read from ASGI, and the response to it."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from gateway.refusals import BodyTooLarge, InvalidRequest

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_KEY_CHARACTERS_MAX = 200


class ClientGone(Exception):
    """The client closed its connection before the whole request arrived."""


class Request:
    """One HTTP request. `id` names it in responses and logs, and is the idempotency key of its
    charge unless the client sent one."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.id = f"req_{secrets.token_hex(12)}"
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive, self._send = receive, send
        self.response_started = False

    @property
    def token(self) -> str:
        """The session token, from either header that clients use; empty if there is none."""
        scheme, _, bearer = self.headers.get(b"authorization", b"").partition(b" ")
        token = bearer if scheme.lower() == b"bearer" else self.headers.get(b"x-api-key", b"")
        return token.strip().decode("latin-1")

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

    async def body(self) -> bytes:
        """The whole body. Refusals: BodyTooLarge, InvalidRequest."""
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise InvalidRequest(
                "Send the request body without Content-Encoding.", field="Content-Encoding"
            )
        chunks, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > settings.GATEWAY_BODY_BYTES_MAX:
                raise BodyTooLarge(
                    f"The body must not exceed {settings.GATEWAY_BODY_BYTES_MAX:,} bytes."
                )
            chunks.append(chunk)
            more = message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

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


def _is_printable(key: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in key)
