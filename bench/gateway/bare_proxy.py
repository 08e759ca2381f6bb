"""A pass-through proxy on the gateway's own stack: uvicorn, httptools, uvloop, aiohttp.

It keeps no books and parses nothing: what the gateway needs more is the cost of the books.
`BENCH_UPSTREAM` names where it forwards to.
"""

import os

import aiohttp

_UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")
_pool: aiohttp.ClientSession | None = None


async def application(scope, receive, send) -> None:
    """Forward a request, and hand its answer on as it comes."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {"content-type": "application/json", "authorization": "Bearer bench"}
    async with _pool.post(f"{_UPSTREAM}{scope['path']}", data=body, headers=headers) as answer:
        if answer.content_type == "text/event-stream":
            await _stream(answer, send)
        else:
            await _whole(answer, send)


async def _whole(answer: aiohttp.ClientResponse, send) -> None:
    body = await answer.read()
    await _start(answer, send, (b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.body", "body": body})


async def _stream(answer: aiohttp.ClientResponse, send) -> None:
    await _start(answer, send)
    async for piece in answer.content.iter_any():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _start(answer: aiohttp.ClientResponse, send, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", answer.headers["content-type"].encode())
    start = {"type": "http.response.start", "status": answer.status, "headers": [kind, *headers]}
    await send(start)


async def _live(receive, send) -> None:
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
