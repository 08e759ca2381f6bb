"""A client of OpenClaw's gateway, over its WebSocket (protocol 4)."""

import asyncio
from itertools import count
from typing import Any

import aiohttp
import msgspec

_PROTOCOL = 4
_OPENING_SECONDS = 20
# The gateway answers pings late while it is busy.
_HEARTBEAT_SECONDS = 60
_ANSWER_BYTES_MAX = 64_000_000
# Deleting a session needs `admin`; an operator's token has all of these scopes.
_SCOPES = ["operator.admin", "operator.read", "operator.write"]
# The gateway starts, stops or is overloaded; it has not carried the request out.
_AWAY = "UNAVAILABLE"


class Unreachable(Exception):
    """No answer arrived, so the request may or may not have been carried out."""


class Refused(Exception):
    """The gateway refused a request; `connecting`: it refused to let Butler connect."""

    def __init__(self, says: str, *, connecting: bool = False) -> None:
        super().__init__(says)
        self.connecting = connecting


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Frame(msgspec.Struct):
    """An answer, or an event, which is ignored."""

    type: str
    id: str = ""
    ok: bool = False
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    error: _Error = msgspec.field(default_factory=_Error)


_frame = msgspec.json.Decoder(_Frame).decode


class OpenClawSocket:
    """One connection for all requests of a process, opened on demand and after it broke."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._http: aiohttp.ClientSession | None = None
        self._connection: _Connection | None = None
        self._opening = asyncio.Lock()

    async def ask(self, method: str, *, seconds: float, **params: Any) -> dict[str, Any]:
        """Call a method and return its payload. Raises Unreachable (also on timeout), Refused."""
        async with self._opening:
            if self._connection is None or not self._connection.is_open:
                self._connection = await self._open()
        return await self._connection.ask(method, params, seconds=seconds)

    async def close(self) -> None:
        """Leave."""
        if self._connection is not None:
            await self._connection.close()
        if self._http is not None:
            await self._http.close()

    async def _open(self) -> "_Connection":
        if self._http is None:
            self._http = aiohttp.ClientSession(headers={"User-Agent": "butler"})
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                socket = await self._http.ws_connect(
                    self._url, heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_ANSWER_BYTES_MAX
                )
        except aiohttp.InvalidURL:
            raise Refused(f"{self._url} is not a valid address.", connecting=True) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
        return await self._authenticate(_Connection(socket))

    async def _authenticate(self, connection: "_Connection") -> "_Connection":
        try:
            await connection.ask("connect", self._introduction(), seconds=_OPENING_SECONDS)
        except Refused as refused:
            raise Refused(str(refused), connecting=True) from None
        finally:
            if not connection.is_authenticated:
                await connection.close()
        return connection

    def _introduction(self) -> dict[str, Any]:
        # On the gateway's own machine, such a client needs no pairing.
        client = {"id": "gateway-client", "mode": "backend", "version": "1", "platform": "linux"}
        return {
            "minProtocol": _PROTOCOL,
            "maxProtocol": _PROTOCOL,
            "client": client,
            "role": "operator",
            "scopes": _SCOPES,
            "auth": {"token": self._token},
        }


class _Connection:
    """An open connection; answers may come in any order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.is_authenticated = False
        self._reading = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        return not self._reading.done()

    async def ask(self, method: str, params: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        number = str(next(self._numbers))
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        asked = {"type": "req", "id": number, "method": method, "params": params}
        try:
            if not self.is_open:
                raise Unreachable("The connection broke.")
            await self._socket.send_str(msgspec.json.encode(asked).decode())
            async with asyncio.timeout(seconds):
                found = await answer
        except TimeoutError:
            raise Unreachable(f"{method} was not answered within {seconds:.0f} s.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
        finally:
            self._waiting.pop(number, None)
        self.is_authenticated = True
        return found

    async def close(self) -> None:
        await self._socket.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(_frame(message.data))
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Unreachable("The connection broke."))

    def _take(self, frame: _Frame) -> None:
        waiting = self._waiting.get(frame.id) if frame.type == "res" else None
        if waiting is None or waiting.done():
            return
        if frame.ok:
            waiting.set_result(msgspec.json.decode(frame.payload))
        elif frame.error.code == _AWAY:
            waiting.set_exception(Unreachable(frame.error.message))
        else:
            waiting.set_exception(Refused(frame.error.message or frame.error.code))
