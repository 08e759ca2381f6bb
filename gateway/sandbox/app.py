"""The sandbox as an ASGI application: who calls, which route, and what happens to the call."""

import hashlib
import time
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from gateway.sandbox import delivery, errors
from gateway.sandbox.call_log import Call, CallLog
from gateway.sandbox.connection import BrokenOff, Connection, Headers, Receive, Send
from gateway.sandbox.control import Control
from gateway.sandbox.directive import Directive, NotUnderstood, directive, said_in
from gateway.sandbox.faults import Faults
from gateway.sandbox.reply import reply
from gateway.sandbox.request_fields import Asked, Wrong
from gateway.sandbox.routes import (
    Route,
    chat,
    count_tokens,
    embeddings,
    messages,
    models,
    responses,
)

_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v1/chat/completions"): chat,
    ("POST", "/v1/responses"): responses,
    ("POST", "/v1/embeddings"): embeddings,
    ("POST", "/v1/messages"): messages,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("GET", "/v1/models"): models,
}
_ID_HEADERS = {"openai": b"x-request-id", "anthropic": b"request-id"}
_NAMED = "sandbox-"


class Refused(Exception):
    """The provider answers with an error."""

    def __init__(self, status: int, message: str, *, code: str = "", headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class Sandbox:
    """The application, with its log and the faults planned for it.

    Needs the transport below each call in the scope (`server.CuttableProtocol` puts it there).
    """

    def __init__(self, *, log_file: Path | None = None, latency_ms: int = 0) -> None:
        self._log = CallLog(log_file)
        self._faults = Faults()
        self._under_way = 0
        self._control = Control(
            log=self._log, faults=self._faults, under_way=lambda: self._under_way
        )
        self._latency_ms = latency_ms
        self._numbers = count(1)
        self._run = f"{time.time_ns() // 1_000_000:x}"

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        connection = Connection(scope, receive, send)
        try:
            if route := _ROUTES.get((scope["method"], scope["path"])):
                await self._logged(connection, scope, route)
            else:
                await self._control.answer(connection, scope)
        except BrokenOff:
            return

    async def _logged(self, connection: Connection, scope: dict[str, Any], route: Route) -> None:
        call = Call(route=scope["path"], id=f"{route.PREFIX}{self._run}-{next(self._numbers)}")
        self._under_way += 1
        try:
            await self._answer(connection, dict(scope["headers"]), call, route)
        finally:
            self._under_way -= 1
            self._log.add(call)

    async def _answer(
        self, connection: Connection, headers: dict[bytes, bytes], call: Call, route: Route
    ) -> None:
        own = [(_ID_HEADERS[route.WIRE_FORMAT], call.id.encode())]
        try:
            call.key = _key_named(headers)
            asked, wanted = self._read(await connection.body(), call, route)
            await self._wait(connection, wanted)
            _refuse_if_wanted(wanted)
        except Refused as no:
            call.status = no.status
            body = errors.body(
                wire_format=route.WIRE_FORMAT,
                status=no.status,
                message=str(no),
                code=no.code,
                call_id=call.id,
            )
            await delivery.send_json(
                connection, body, status=no.status, headers=[*own, *no.headers]
            )
            call.finished = True
            return
        said = reply(asked=asked, directive=wanted, call_id=call.id, produces=route.PRODUCES)
        await delivery.answer(connection, call=call, route=route, reply=said, headers=own)

    def _read(self, body: bytes, call: Call, route: Route) -> tuple[Asked, Directive]:
        try:
            fields = msgspec.json.decode(body or b"{}")
            if not isinstance(fields, dict):
                raise Wrong("The body is no JSON object.")
            asked = route.read(fields)
            wanted = directive({**said_in(asked.text), **self._faults.met_by(call.key)})
        except (msgspec.DecodeError, Wrong, NotUnderstood) as error:
            raise Refused(400, str(error)) from error
        asked.input_tokens = min(asked.input_tokens, len(body))
        call.model, call.stream, call.cost = asked.model, asked.stream, wanted.cost
        return asked, wanted

    async def _wait(self, connection: Connection, wanted: Directive) -> None:
        if wanted.hang:
            await connection.wait_until_gone()
        latency = self._latency_ms if wanted.latency_ms is None else wanted.latency_ms
        await connection.pause(latency / 1000)


def _refuse_if_wanted(wanted: Directive) -> None:
    if wanted.status >= 400:
        retry_after = wanted.retry_after
        headers = [] if retry_after is None else [(b"retry-after", f"{retry_after:g}".encode())]
        message = f"The sandbox was asked to answer {wanted.status}."
        raise Refused(wanted.status, message, code=wanted.code, headers=headers)


def _key_named(headers: dict[bytes, bytes]) -> str:
    """What a credential is called in the log. Errors: Refused."""
    scheme, _, credential = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not credential.strip():
        credential = headers.get(b"x-api-key", b"")
    if not credential.strip():
        raise Refused(401, "You didn't provide an API key.")
    return _name(credential.decode("latin-1").strip())


@lru_cache(maxsize=10_000)
def _name(credential: str) -> str:
    """Never a secret: a name that was made for the sandbox, or a short hash."""
    if credential.startswith(_NAMED):
        return credential.rpartition(_NAMED)[2]
    return hashlib.sha256(credential.encode()).hexdigest()[:12]
