"""Django behind the event loop: a thread is taken only when the whole request has arrived.

Otherwise clients that send their bodies slowly, or never, would keep all threads.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from threading import Event
from typing import Any
from weakref import WeakValueDictionary
from wsgiref.util import FileWrapper

from django.conf import settings

from butler_site import errors
from butler_site.sign_in_turns import SignInTurns
from butler_site.wsgi_threads import WsgiThreads
from common.request_body import BodyTooLarge, BodyTooSlow, ClientGone, read_body
from security.request_actor import client_address

# Bodies that are larger than this share the memory below; the others are always read.
_SMALL_BYTES_MAX = 64_000
_LARGE_BYTES_MAX = 64_000_000
_FILE_BLOCK_BYTES = 256 * 1024
# In the scope of a request: set when its client has gone.
_GONE = "butler.client_gone"
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
        def respond(environ: Any, start_response: Any) -> Any:
            environ["wsgi.file_wrapper"] = _file_blocks
            answer = application(environ, start_response)
            if not getattr(answer, "streaming", True):
                return answer
            return _until_gone(answer, environ["asgi.scope"][_GONE])

        self._threads = WsgiThreads(respond, threads=settings.WEB_THREADS)
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
        scope[_GONE] = Event()
        async with self._share_of(scope):
            watch = asyncio.create_task(_watch(receive, scope[_GONE]))
            try:
                await self._threads(scope, body, send)
            finally:
                watch.cancel()

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


async def _watch(receive: Any, gone: Event) -> None:
    """Wait until the client goes: nothing else can come after its body."""
    if (await receive())["type"] == "http.disconnect":
        gone.set()


def _until_gone(answer: Any, gone: Event) -> Iterator[bytes]:
    """The parts of an answer. A client that has gone needs no more of a file of millions of rows,
    and the server would take them all as fast as they come."""
    try:
        for part in answer:
            yield part
            if gone.is_set():
                return
    finally:
        if hasattr(answer, "close"):
            answer.close()


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
