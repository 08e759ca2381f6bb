"""The only way out of a fence: HTTP requests for paths of the gateway, and no others."""

import asyncio
import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import h11

_CONNECTIONS_MAX = 64
_PIECE_BYTES = 65_536
# Of the connection, not of the request.
_NOT_FORWARDED = {b"host", b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"expect"}
_REFUSED = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class GatewayRelay:
    """Forwards requests that arrive at a socket inside the fence to the gateway outside.

    Each connection carries one request, so that nothing after it reaches the gateway. No part of a
    path begins with a dot: `/v1/../admin` would be another page behind some proxies.
    """

    def __init__(self, gateway_url: str) -> None:
        self._address = urlsplit(gateway_url)
        self.path = self._address.path
        self._allowed = re.compile(
            rb"%b(/[A-Za-z0-9_-][A-Za-z0-9_.:-]*)+(\?[!-~]*)?" % re.escape(self.path).encode()
        )
        self._server: asyncio.Server | None = None
        self._connections = 0

    async def serve(self, listener: socket.socket) -> None:
        """Answer the connections of a listening socket until `close`."""
        self._server = await asyncio.start_server(self._answer, sock=listener)

    def close(self) -> None:
        """Accept no more connections. The open ones end with the processes in the fence."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= _CONNECTIONS_MAX:
                await self._forward(reader, writer)
        except h11.ProtocolError:
            writer.write(_REFUSED % b"400 Bad Request")
        except OSError:
            writer.write(_REFUSED % b"502 Bad Gateway")
        finally:
            self._connections -= 1
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = h11.Connection(h11.SERVER)
        request = await _next_event(inside, reader)
        if not isinstance(request, h11.Request):
            return
        if not self._allowed.fullmatch(request.target):
            writer.write(_REFUSED % b"403 Forbidden")
            return
        port = self._address.port or (443 if self._address.scheme == "https" else 80)
        answer, gateway = await asyncio.open_connection(
            self._address.hostname, port, ssl=self._address.scheme == "https" or None
        )
        try:
            outside = h11.Connection(h11.CLIENT)
            event: h11.Event = self._outside(request)
            while True:
                gateway.write(outside.send(event) or b"")
                await gateway.drain()
                if isinstance(event, h11.EndOfMessage):
                    break
                event = await _next_event(inside, reader)
            await _copy_until_one_ends(answer, writer, reader)
        finally:
            gateway.close()

    def _outside(self, request: h11.Request) -> h11.Request:
        kept = [(name, value) for name, value in request.headers if name not in _NOT_FORWARDED]
        own = [(b"host", self._address.netloc.encode()), (b"connection", b"close")]
        return h11.Request(method=request.method, target=request.target, headers=own + kept)


async def _next_event(inside: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    """The next part of a request. Error: RemoteProtocolError, also if the client is gone."""
    while (event := inside.next_event()) is h11.NEED_DATA:
        inside.receive_data(await reader.read(_PIECE_BYTES))
    if isinstance(event, h11.Request | h11.Data | h11.EndOfMessage):
        return event
    raise h11.RemoteProtocolError("the connection ended")


async def _copy_until_one_ends(
    answer: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamReader
) -> None:
    """Hand the answer on as it comes. A client that hangs up, or says more, ends it."""
    copy = asyncio.create_task(_copy(answer, writer))
    gone = asyncio.create_task(client.read(1))
    await asyncio.wait([copy, gone], return_when=asyncio.FIRST_COMPLETED)
    for task in (copy, gone):
        task.cancel()
        with suppress(OSError, asyncio.CancelledError):
            await task


async def _copy(answer: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await answer.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
