"""Read the body of an HTTP request on the event loop, with a limit and a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]

# A body may take this long, and a second more for each so many bytes that have come.
_GRACE_SECONDS = 20
_BYTES_PER_SECOND_LEAST = 20_000


class ClientGone(Exception):
    """The client closed its connection before its request was whole."""


class BodyTooLarge(Exception):
    """The body has more bytes than allowed. It was not read to the end."""


class BodyTooSlow(Exception):
    """The body did not come in time. It was not read to the end."""


async def read_body(
    receive: Receive, *, bytes_max: int, take_room: Callable[[int], object] = lambda size: None
) -> bytes:
    """The whole body that ASGI's `receive` hands out. `take_room` is called with the size so far.

    Raises ClientGone, BodyTooLarge, BodyTooSlow, and what `take_room` raises.
    """
    # Not joined at the end: for many megabytes, that would keep the event loop for too long.
    body = BytesIO()
    size, more = 0, True
    started_at = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_GRACE_SECONDS) as deadline:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > bytes_max:
                    raise BodyTooLarge
                take_room(size)
                body.write(chunk)
                if more := message.get("more_body", False):
                    allowed = _GRACE_SECONDS + size / _BYTES_PER_SECOND_LEAST
                    deadline.reschedule(started_at + allowed)
    except TimeoutError:
        raise BodyTooSlow from None
    return body.getvalue()
