"""Django behind the event loop: a thread is taken only when the whole request has arrived.

Otherwise clients that send their bodies slowly, or never, would keep all threads.
"""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any, cast
from weakref import WeakValueDictionary
from wsgiref.util import FileWrapper

from a2wsgi import WSGIMiddleware
from django.conf import settings

from butler_site import errors
from butler_site.sign_in_turns import SignInTurns
from common.request_body import BodyTooLarge, BodyTooSlow, ClientGone, read_body
from security.request_actor import client_address

# Bodies that are larger than this share the memory below; the others are always read.
_SMALL_BYTES_MAX = 64_000
_LARGE_BYTES_MAX = 64_000_000
_FILE_BLOCK_BYTES = 256 * 1024
# Where a password or a code is checked.
_SIGN_IN = {
    "/admin/login/",
    "/account/confirm/",
    "/account/second-factor/authenticate/",
    "/account/second-factor/reauthenticate/",
}


class Pages:
    """Serves the pages, the admin and the REST API from a WSGI application in threads.

    `/healthz` is answered on the event loop: it says that the process lives, however busy the
    threads and the database are.
    """

    def __init__(self, application: Any) -> None:
        def with_large_blocks(environ: Any, start_response: Any) -> Any:
            environ["wsgi.file_wrapper"] = _file_blocks
            return application(environ, start_response)

        self._threads = WSGIMiddleware(with_large_blocks, workers=settings.WEB_THREADS)
        self._large_bytes = 0
        # By credential or address, as long as a request with it is here.
        self._shares = WeakValueDictionary[bytes, asyncio.Semaphore]()
        self._sign_in = SignInTurns()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one HTTP request."""
        if scope["path"] == "/healthz" and scope["method"] in ("GET", "HEAD"):
            await _respond(scope, send, 200, "application/json", {"status": "ok"})
            return
        bytes_max = _bytes_max(scope["path"])
        expected = _content_length(scope, unknown=bytes_max)
        is_large = expected > _SMALL_BYTES_MAX
        if expected > bytes_max:
            await _refuse(scope, send, "body_too_large")
        elif is_large and self._large_bytes + expected > _LARGE_BYTES_MAX:
            await _refuse(scope, send, "unavailable")
        else:
            self._large_bytes += expected * is_large
            try:
                await self._serve(scope, receive, send, bytes_max=bytes_max)
            finally:
                self._large_bytes -= expected * is_large

    async def _serve(
        self, scope: dict[str, Any], receive: Any, send: Any, *, bytes_max: int
    ) -> None:
        try:
            body = await read_body(receive, bytes_max=bytes_max)
        except ClientGone:
            return
        except BodyTooLarge:
            await _refuse(scope, send, "body_too_large")
            return
        except BodyTooSlow:
            await _refuse(scope, send, "body_too_slow")
            return
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"content-length"]
        scope["headers"].append((b"content-length", str(len(body)).encode()))
        async with self._share_of(scope):
            await self._threads(cast(Any, scope), _replay(body, receive), send)

    def _share_of(self, scope: dict[str, Any]) -> AbstractAsyncContextManager[None]:
        """A turn of who sends the request. Requests with one token take at most half of the
        threads, and so do those without one from one address; more of them wait."""
        headers = dict(scope["headers"])
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        peer = (scope.get("client") or ("",))[0]
        address = client_address(peer=peer, forwarded_for=forwarded)
        if scope["method"] == "POST" and scope["path"] in _SIGN_IN:
            return self._sign_in.turn(address)
        half = asyncio.Semaphore(max(settings.WEB_THREADS // 2, 1))
        return self._shares.setdefault(headers.get(b"authorization") or address.encode(), half)


def _file_blocks(file: Any, block_size: int) -> FileWrapper:
    """A file in large blocks. Each is handed from a thread to the event loop, which takes far
    longer than reading it."""
    return FileWrapper(file, max(block_size, _FILE_BLOCK_BYTES))


def _bytes_max(path: str) -> int:
    if path.startswith("/api/"):
        return settings.API_BODY_BYTES_MAX
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0


def _content_length(scope: dict[str, Any], *, unknown: int) -> int:
    """The size that the client says the body has; `unknown` if it does not say."""
    headers = dict(scope["headers"])
    if length := headers.get(b"content-length"):
        return int(length)
    return unknown if b"transfer-encoding" in headers else 0


def _replay(body: bytes, receive: Any) -> Any:
    """ASGI's `receive` for a body that has been read."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return messages.pop() if messages else await receive()

    return receive_again


async def _refuse(scope: dict[str, Any], send: Any, code: str) -> None:
    """A problem as the API's; the connection is closed, since the body is not read to its end."""
    problem = errors.problem(code)
    headers = [(b"connection", b"close")]
    if problem["status"] == errors.FRAMEWORK["unavailable"][0]:
        headers.append((b"retry-after", str(errors.RETRY_AFTER_SECONDS).encode()))
    await _respond(scope, send, problem["status"], errors.MEDIA_TYPE, problem, *headers)


async def _respond(
    scope: dict[str, Any],
    send: Any,
    status: int,
    media_type: str,
    value: dict[str, Any],
    *headers: tuple[bytes, bytes],
) -> None:
    body = json.dumps(value).encode()
    headers = (
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    )
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
