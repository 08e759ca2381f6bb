"""Control the sandbox itself: its health, its log, planned faults."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from gateway.sandbox import delivery, errors
from gateway.sandbox.call_log import CallLog
from gateway.sandbox.connection import Connection
from gateway.sandbox.directive import InvalidDirective
from gateway.sandbox.faults import Faults

_EMPTY = b"{}"


class Control:
    """`/healthz` and `/sandbox/…`: log, totals, faults. Not logged; no API key is needed."""

    def __init__(self, *, log: CallLog, faults: Faults, running_calls: Callable[[], int]) -> None:
        self._calls = log
        self._planned_faults = faults
        self._running_calls = running_calls
        self._routes = {
            ("HEAD", "/"): self._probe,
            ("GET", "/healthz"): self._health,
            ("GET", "/sandbox/log"): self._log,
            ("DELETE", "/sandbox/log"): self._clear_log,
            ("GET", "/sandbox/totals"): self._totals,
            ("GET", "/sandbox/faults"): self._faults,
            ("POST", "/sandbox/faults"): self._plan_fault,
            ("DELETE", "/sandbox/faults"): self._clear_faults,
        }

    async def answer(self, connection: Connection, scope: dict[str, Any]) -> None:
        """Answer one request; 404 for an unknown route."""
        body = await connection.body()
        route = self._routes.get((scope["method"], scope["path"]), self._unknown)
        query = {name: values[-1] for name, values in _query(scope).items()}
        try:
            status, answer = route(query, body)
        except (ValueError, InvalidDirective) as error:
            status, answer = 400, _error(400, str(error))
        await delivery.send_json(connection, answer, status=status, headers=[])

    def _probe(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, b""

    def _health(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        state = {"status": "ok", "under_way": self._running_calls()}
        return 200, msgspec.json.encode(state)

    def _log(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, self._calls.after(int(query.get("after", 0)))

    def _clear_log(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self._calls.clear()
        return 200, _EMPTY

    def _totals(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(self._calls.totals(query.get("by", "key")))

    def _faults(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(self._planned_faults.remaining())

    def _plan_fault(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self._planned_faults.plan(msgspec.json.decode(body))
        return 201, msgspec.json.encode(self._planned_faults.remaining())

    def _clear_faults(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self._planned_faults.clear()
        return 200, _EMPTY

    def _unknown(self, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return 404, _error(404, "The sandbox does not know this route.")


def _query(scope: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"))


def _error(status: int, message: str) -> bytes:
    return errors.body(wire_format="openai", status=status, message=message, call_id="")
