"""Every route has the one admission, and nothing that is no route is forwarded."""

import asyncio
import json

from gateway.app import Gateway
from gateway.checks import every_route_admits, unadmitted_routes
from gateway.error_responses import refusal_response
from gateway.routes import ROUTES
from keys.models import Allocation
from keys.refusals import AllocationClosed
from tests.moments import NOON


async def somebody(*_):
    """An admission that lets everybody in."""


def test_every_route_has_the_one_admission():
    assert every_route_admits() == []
    assert len(ROUTES) == 9


def test_a_route_that_lets_in_by_another_way_fails_the_check():
    chat = ("POST", "/v1/chat/completions")
    errors = unadmitted_routes({chat: ROUTES[chat]._replace(admit=somebody)})
    assert [error.id for error in errors] == ["butler.E031"]
    assert "/v1/chat/completions" in errors[0].msg


def test_what_is_no_route_is_refused_in_the_shape_of_its_wire_format():
    status, _, body = ask("POST", "/v1/files")
    assert (status, body["error"]["code"]) == (404, "route_not_found")
    assert "POST /v1/chat/completions" in body["error"]["message"]
    status, _, body = ask("DELETE", "/v1/messages/batches")
    assert (status, body["error"]["type"]) == (404, "not_found_error")


def test_the_probe_that_comes_before_everything_is_answered():
    assert Gateway.serves({"type": "http", "method": "HEAD", "path": "/"})
    assert not Gateway.serves({"type": "http", "method": "GET", "path": "/"})
    assert not Gateway.serves({"type": "http", "method": "GET", "path": "/v1x"})
    assert ask("HEAD", "/")[0] == 200


def test_a_budget_that_closed_on_the_way_is_refused_with_its_numbers():
    budget = Allocation(
        session_id="ses-1", allocated=5_000, used=4_000, created_at=NOON, expires_at=NOON
    ).budget
    closed = AllocationClosed(status="expired", **budget)
    status, headers, body = refusal_response(closed, wire_format="anthropic", request_id="req_1")
    error = json.loads(body)["error"]
    assert (status, error["type"]) == (400, "billing_error")
    assert "The allocation is expired." in error["message"]
    assert "5,000 tokens until 2026-03-10 12:00 UTC, 4,000 used" in error["message"]
    assert (b"x-butler-tokens-left", b"1000") in headers
    assert (b"x-should-retry", b"false") in headers


def ask(method: str, path: str) -> tuple[int, dict, dict | None]:
    """Status, headers and body of an answer that needs no runtime."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    asyncio.run(Gateway()(scope, None, send))
    body = sent[1]["body"]
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(body) if body else None
