"""OpenClaw's gateway, asked over its WebSocket (protocol 4)."""

import asyncio
from itertools import count
from typing import Any

import aiohttp
import msgspec

_PROTOCOL = 4
_OPENING_SECONDS = 20
# It answers pings late while it is busy.
_HEARTBEAT_SECONDS = 60
_ANSWER_BYTES_MAX = 64_000_000
# To delete a session takes `admin`; the token is that of an operator, who may do all of it.
_SCOPES = ["operator.admin", "operator.read", "operator.write"]
# It starts or stops, or has too much to do: nothing was done.
_AWAY = "UNAVAILABLE"


class Unreachable(Exception):
    """Nobody answers, or the connection broke: what was asked may or may not have been done."""


class Refused(Exception):
    """It says no. `at_the_door`: to the connection, not to what was asked."""

    def __init__(self, says: str, *, at_the_door: bool = False) -> None:
        super().__init__(says)
        self.at_the_door = at_the_door


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Frame(msgspec.Struct):
    """An answer, or an event, which nobody reads."""

    type: str
    id: str = ""
    ok: bool = False
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    error: _Error = msgspec.field(default_factory=_Error)


_frame = msgspec.json.Decoder(_Frame).decode


class OpenClawSocket:
    """One connection for all that a process asks; opened when it is needed, again if it broke."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._http: aiohttp.ClientSession | None = None
        self._line: _Line | None = None
        self._opening = asyncio.Lock()

    async def ask(self, method: str, *, seconds: float, **params: Any) -> dict[str, Any]:
        """Call a method; its payload. Raises Unreachable (also after `seconds`), Refused."""
        async with self._opening:
            if self._line is None or not self._line.is_open:
                self._line = await self._open()
        return await self._line.ask(method, params, seconds=seconds)

    async def close(self) -> None:
        """Leave."""
        if self._line is not None:
            await self._line.close()
        if self._http is not None:
            await self._http.close()

    async def _open(self) -> "_Line":
        if self._http is None:
            self._http = aiohttp.ClientSession(headers={"User-Agent": "butler"})
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                socket = await self._http.ws_connect(
                    self._url, heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_ANSWER_BYTES_MAX
                )
        except aiohttp.InvalidURL:
            raise Refused(f"{self._url} is no address.", at_the_door=True) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
        return await self._let_in(_Line(socket))

    async def _let_in(self, line: "_Line") -> "_Line":
        try:
            await line.ask("connect", self._introduction(), seconds=_OPENING_SECONDS)
        except Refused as refused:
            raise Refused(str(refused), at_the_door=True) from None
        finally:
            if not line.is_let_in:
                await line.close()
        return line

    def _introduction(self) -> dict[str, Any]:
        # From its own machine, such a client needs no pairing.
        client = {"id": "gateway-client", "mode": "backend", "version": "1", "platform": "linux"}
        return {
            "minProtocol": _PROTOCOL,
            "maxProtocol": _PROTOCOL,
            "client": client,
            "role": "operator",
            "scopes": _SCOPES,
            "auth": {"token": self._token},
        }


class _Line:
    """A connection: answers come in any order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.is_let_in = False
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
        self.is_let_in = True
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
