"""A pass-through proxy on the gateway's own stack: uvicorn, httptools, uvloop, aiohttp.

It keeps no books and parses nothing: the additional time that the gateway needs is the cost of
metering and of the books.
`BENCH_UPSTREAM` names where it forwards to.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")
_pool: aiohttp.ClientSession | None = None


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Forward a request, and pass its answer on piece by piece."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {"content-type": "application/json", "authorization": "Bearer bench"}
    if _pool is None:
        raise RuntimeError("The server did not announce its start (lifespan).")
    async with _pool.post(f"{_UPSTREAM}{scope['path']}", data=body, headers=headers) as answer:
        if answer.content_type == "text/event-stream":
            await _send_stream(answer, send)
        else:
            await _send_whole(answer, send)


async def _send_whole(answer: aiohttp.ClientResponse, send: Send) -> None:
    body = await answer.read()
    await _start(answer, send, (b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.body", "body": body})


async def _send_stream(answer: aiohttp.ClientResponse, send: Send) -> None:
    await _start(answer, send)
    async for piece in answer.content.iter_any():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _start(answer: aiohttp.ClientResponse, send: Send, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", answer.headers["content-type"].encode())
    start = {"type": "http.response.start", "status": answer.status, "headers": [kind, *headers]}
    await send(start)


async def _lifespan(receive: Receive, send: Send) -> None:
    global _pool  # noqa: PLW0603 - as long as the process lives
    await receive()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as _pool:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
