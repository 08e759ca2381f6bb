"""Serve the vendor by HTTP, with answers that can get lost."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from treasury.rails.simulator.faults import Faults
from treasury.rails.simulator.vendor import Vendor, VendorError

_JSON = dict[str, Any]
_Reply = tuple[int, dict[str, Any]]
_LOST_BEFORE, _LOST_AFTER = "lost_request", "lost_answer"
# What the vendor answers although it has made the payment.
_UNCLEAR = {"server_error": 500, "in_use": 409}


class AnswerLost(Exception):
    """The connection ends without an answer."""


class Routes:
    """The addresses of the simulator, each with the function behind it."""

    def __init__(self, vendor: Vendor, faults: Faults) -> None:
        self._vendor, self._faults = vendor, faults
        self._lock = Lock()
        self._routes: dict[tuple[str, str], Callable[[dict[str, str], bytes], _JSON]] = {
            ("GET", "/healthz"): lambda query, body: {"status": "ok"},
            ("GET", "/v1/payments"): self._payments,
            ("GET", "/v1/balance"): self._balance,
            ("GET", "/v1/statement"): self._statement,
            ("GET", "/v1/events"): self._events,
            ("GET", "/v1/credit"): self._credit,
            ("GET", "/v1/refunds"): self._refunds,
            ("POST", "/v1/confirmations"): self._confirm,
            ("POST", "/simulator/refunds"): self._give_back,
            ("POST", "/simulator/funds"): self._add_funds,
            ("POST", "/simulator/usage"): self._use,
            ("POST", "/simulator/clock"): self._move_clock,
            ("POST", "/simulator/faults"): self._plan,
            ("DELETE", "/simulator/faults"): self._clear,
        }

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, key: str
    ) -> tuple[int, _JSON]:
        """The status and the body. Raises AnswerLost."""
        try:
            with self._lock:
                self._vendor.catch_up()
                if (method, path) == ("POST", "/v1/payments"):
                    return self._move(self._vendor.pay, body, key)
                if (method, path) == ("POST", "/v1/refunds"):
                    return self._move(self._vendor.refund, body, key)
                route = self._routes.get((method, path))
                if route is None:
                    raise VendorError(404, "not_found", "The simulator does not know this address.")
                return 200, route(query, body)
        except VendorError as error:
            return error.status, {"code": error.code, "message": str(error)}
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            return 400, {"code": "invalid_request", "message": str(error)}

    def _move(self, move: Callable[..., tuple[int, _JSON]], body: bytes, key: str) -> _Reply:
        """Pay or refund, or fail as planned."""
        fault, seconds = self._faults.take()
        if fault == _LOST_BEFORE:
            raise AnswerLost
        if fault == "busy":
            raise VendorError(429, "busy", "Too many requests.")
        status, moved = move(body, key=key, fault=fault, seconds=seconds)
        if fault == _LOST_AFTER:
            raise AnswerLost
        if fault in _UNCLEAR:
            raise VendorError(_UNCLEAR[fault], fault, "The payment is under way.")
        return status, moved

    def _refunds(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"refunds": self._vendor.refunds(query["refund"])}

    def _give_back(self, query: dict[str, str], body: bytes) -> _JSON:
        """The vendor refunds something by itself."""
        key = f"own-{len(self._vendor.lines(0))}"
        asked = {**json.loads(body), "refund": key}
        _, refund = self._vendor.refund(json.dumps(asked).encode(), key=key, fault="", seconds=0)
        return refund

    def _payments(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"payments": self._vendor.payments(query.get("purchase", ""))}

    def _balance(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"available": format(self._vendor.balance(), "f"), "currency": "USD"}

    def _statement(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"lines": self._vendor.lines(int(query.get("after", 0)))}

    def _events(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"events": self._vendor.events(int(query.get("after", 0)))}

    def _credit(self, query: dict[str, str], body: bytes) -> _JSON:
        return {"credit": format(self._vendor.credit(query["payee"]), "f")}

    def _confirm(self, query: dict[str, str], body: bytes) -> _JSON:
        asked = json.loads(body)
        return self._vendor.confirm(asked["payment"], is_accepted=asked["accept"] is True)

    def _add_funds(self, query: dict[str, str], body: bytes) -> _JSON:
        self._vendor.add_funds(json.loads(body)["amount"])
        return self._balance({}, b"")

    def _use(self, query: dict[str, str], body: bytes) -> _JSON:
        asked = json.loads(body)
        self._vendor.use(asked["payee"], asked["amount"])
        return self._credit({"payee": asked["payee"]}, b"")

    def _move_clock(self, query: dict[str, str], body: bytes) -> _JSON:
        self._vendor.move_clock(float(json.loads(body)["seconds"]))
        self._vendor.catch_up()
        return {"now": self._vendor.now}

    def _plan(self, query: dict[str, str], body: bytes) -> _JSON:
        self._faults.plan(json.loads(body))
        return {}

    def _clear(self, query: dict[str, str], body: bytes) -> _JSON:
        self._faults.clear()
        return {}


class SimulatorServer(ThreadingHTTPServer):
    """The simulator at an address; `port` 0 takes any that is free."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, file: Path | None = None) -> None:
        self.vendor, self.faults = Vendor(file), Faults()
        self.routes = Routes(self.vendor, self.faults)
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed."""

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    # The head and the body are two writes: else the second waits for the client's receipt.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.headers.get("Idempotency-Key") or ""
        try:
            status, answer = self.server.routes.answer(self.command, address.path, query, body, key)
        except AnswerLost:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until a signal arrives."""
    parser = ArgumentParser(prog="python -m treasury.rails.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8091, help="0 takes any free port.")
    parser.add_argument("--state", type=Path, help="File that keeps payments; memory without it.")
    parser.add_argument("--funds", default="1000.00", help="Play money of a new simulator, in USD.")
    options = parser.parse_args()
    server = SimulatorServer(host=options.host, port=options.port, file=options.state)
    if not server.vendor.lines(0):
        server.vendor.add_funds(options.funds)
    sys.stdout.write(f"The simulator of payments is at {server.url}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        server.serve_forever()
