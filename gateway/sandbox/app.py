"""The sandbox as an ASGI application: finds the route, answers the call and logs it."""

import hashlib
import time
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from gateway.sandbox import delivery, errors
from gateway.sandbox.call_log import CallLog, LoggedCall
from gateway.sandbox.connection import Connection, ConnectionClosed, Headers, Receive, Send
from gateway.sandbox.control import Control
from gateway.sandbox.directive import Directive, InvalidDirective, directive, fields_in_text
from gateway.sandbox.faults import Faults
from gateway.sandbox.reply import reply
from gateway.sandbox.request_fields import InvalidRequest, SandboxRequest
from gateway.sandbox.routes import (
    Route,
    chat,
    completions,
    count_tokens,
    embeddings,
    input_tokens,
    messages,
    models,
    responses,
)

_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v1/chat/completions"): chat,
    ("POST", "/v1/completions"): completions,
    ("POST", "/v1/responses"): responses,
    ("POST", "/v1/responses/input_tokens"): input_tokens,
    ("POST", "/v1/embeddings"): embeddings,
    ("POST", "/v1/messages"): messages,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("GET", "/v1/models"): models,
}
_ID_HEADERS = {"openai": b"x-request-id", "anthropic": b"request-id"}
_NAMED_PREFIX = "sandbox-"


class ErrorAnswer(Exception):
    """The sandbox answers with an error."""

    def __init__(
        self, status: int, message: str, *, code: str = "", headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or []


class Sandbox:
    """The application, with its log and the faults planned for it.

    Needs the transport below each call in the scope (`server.CuttableProtocol` puts it there).
    """

    def __init__(self, *, log_file: Path | None = None, latency_ms: int = 0) -> None:
        self._log = CallLog(log_file)
        self._faults = Faults()
        self._running_calls = 0
        self._control = Control(
            log=self._log, faults=self._faults, running_calls=lambda: self._running_calls
        )
        self._latency_ms = latency_ms
        self._numbers = count(1)
        self._run = f"{time.time_ns() // 1_000_000:x}"

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        connection = Connection(scope, receive, send)
        try:
            if route := _ROUTES.get((scope["method"], scope["path"])):
                await self._serve(connection, scope, route)
            else:
                await self._control.answer(connection, scope)
        except ConnectionClosed:
            return

    async def _serve(self, connection: Connection, scope: dict[str, Any], route: Route) -> None:
        call = LoggedCall(
            route=scope["path"], id=f"{route.PREFIX}{self._run}-{next(self._numbers)}"
        )
        self._running_calls += 1
        try:
            await self._answer(connection, dict(scope["headers"]), call, route)
        finally:
            self._running_calls -= 1
            self._log.add(call)

    async def _answer(
        self, connection: Connection, headers: dict[bytes, bytes], call: LoggedCall, route: Route
    ) -> None:
        id_headers = [(_ID_HEADERS[route.WIRE_FORMAT], call.id.encode())]
        try:
            call.key = _key_name(headers)
            request, instructions = self._read(await connection.body(), call, route)
            await self._wait(connection, instructions)
            _raise_error_answer(instructions)
        except ErrorAnswer as error:
            call.status = error.status
            body = errors.body(
                wire_format=route.WIRE_FORMAT,
                status=error.status,
                message=str(error),
                code=error.code,
                call_id=call.id,
            )
            await delivery.send_json(
                connection, body, status=error.status, headers=[*id_headers, *error.headers]
            )
            call.finished = True
            return
        answer = reply(
            request=request, directive=instructions, call_id=call.id, produces=route.PRODUCES
        )
        await delivery.answer(connection, call=call, route=route, reply=answer, headers=id_headers)

    def _read(
        self, body: bytes, call: LoggedCall, route: Route
    ) -> tuple[SandboxRequest, Directive]:
        try:
            fields = msgspec.json.decode(body or b"{}")
            if not isinstance(fields, dict):
                raise InvalidRequest("The body must be a JSON object.")
            request = route.read(fields)
            instructions = directive(
                {**fields_in_text(request.text), **self._faults.take(call.key)}
            )
        except (msgspec.DecodeError, InvalidRequest, InvalidDirective) as error:
            raise ErrorAnswer(400, str(error)) from error
        request.input_tokens = min(request.input_tokens, len(body))
        call.model, call.stream, call.cost = request.model, request.stream, instructions.cost
        call.tier = instructions.tier
        return request, instructions

    async def _wait(self, connection: Connection, instructions: Directive) -> None:
        if instructions.hang:
            await connection.wait_until_gone()
        latency = self._latency_ms if instructions.latency_ms is None else instructions.latency_ms
        await connection.pause(latency / 1000)


def _raise_error_answer(instructions: Directive) -> None:
    if instructions.status >= 400:
        retry_after = instructions.retry_after
        headers = [] if retry_after is None else [(b"retry-after", f"{retry_after:g}".encode())]
        message = f"The sandbox was asked to answer {instructions.status}."
        raise ErrorAnswer(instructions.status, message, code=instructions.code, headers=headers)


def _key_name(headers: dict[bytes, bytes]) -> str:
    """The name of the request's API key in the log. Errors: ErrorAnswer."""
    scheme, _, credential = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not credential.strip():
        credential = headers.get(b"x-api-key", b"")
    if not credential.strip():
        raise ErrorAnswer(401, "You didn't provide an API key.")
    return _log_name(credential.decode("latin-1").strip())


@lru_cache(maxsize=10_000)
def _log_name(credential: str) -> str:
    """Never the secret: the name in a key made for the sandbox, or a short hash."""
    if credential.startswith(_NAMED_PREFIX):
        return credential.rpartition(_NAMED_PREFIX)[2]
    return hashlib.sha256(credential.encode()).hexdigest()[:12]
