"""Error responses in the shape that each client's SDK understands.

SDKs retry 408, 409, 429 and 5xx by themselves unless `x-should-retry: false` is sent. Errors that a
retry cannot change have that header.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from common.refusal import JSON, Refusal
from gateway import budget_message, refusals
from gateway.dialects import Dialect
from gateway.requests import Headers
from gateway.response_headers import request_id_headers
from keys import refusals as keys


class Shape(NamedTuple):
    """A refusal in both wire formats: status, type and code in OpenAI's, status and type in
    Anthropic's. `retry`: whether clients may retry by themselves."""

    status: int
    type: str
    code: str
    anthropic_status: int
    anthropic_type: str
    retry: bool = False


# 400 is the status that nearly all clients ask once for; 402 and 429 are repeated by several, in
# spite of the header (docs/clients.md).
BUDGET = Shape(400, "insufficient_quota", "insufficient_quota", 400, "billing_error")
_INVALID = Shape(400, "invalid_request_error", "", 400, "invalid_request_error")
_UNKNOWN_TOKEN = Shape(401, "invalid_request_error", "invalid_api_key", 401, "authentication_error")
# Calls in flight mostly end within seconds, and the retry waits in the gateway again.
_IN_FLIGHT_RETRY_SECONDS = 2
_IN_FLIGHT = (keys.BudgetInFlight, refusals.TooManyCalls, refusals.TooManyLargeBodies)
_CONFLICT = Shape(409, "invalid_request_error", "", 409, "invalid_request_error")
_FROZEN = Shape(403, "invalid_request_error", "", 403, "permission_error")
_NOT_AVAILABLE = Shape(503, "server_error", "", 503, "api_error")
_RATE = Shape(429, "requests", "rate_limit_exceeded", 429, "rate_limit_error", retry=True)
BROKEN = Shape(500, "server_error", "internal_error", 500, "api_error")
UNAVAILABLE = _NOT_AVAILABLE._replace(code="unavailable", retry=True)

# One row for each refusal of the gateway. A blank code stands for the refusal's own.
SHAPES: dict[type[Refusal], Shape] = {
    keys.AllocationExhausted: BUDGET,
    keys.AllocationClosed: BUDGET,
    keys.BudgetInFlight: _RATE,
    keys.RateLimited: _RATE,
    refusals.TooManyCalls: _RATE,
    keys.AllocationNotFound: _UNKNOWN_TOKEN,
    keys.AgentDisabled: Shape(403, "invalid_request_error", "", 403, "permission_error"),
    keys.CostCentreClosed: Shape(403, "invalid_request_error", "", 403, "permission_error"),
    keys.Frozen: _FROZEN,
    keys.KeyFrozen: _FROZEN,
    keys.NotAllowed: Shape(403, "invalid_request_error", "", 403, "permission_error"),
    keys.IdempotencyMismatch: _CONFLICT,
    refusals.AlreadyCalled: _CONFLICT,
    refusals.InvalidToken: _UNKNOWN_TOKEN,
    refusals.SlotEmpty: _INVALID,
    refusals.SlotRefused: _INVALID,
    refusals.InvalidRequest: _INVALID,
    refusals.CannotBeBounded: _INVALID,
    refusals.InputNotTaken: _INVALID,
    refusals.OwnSecretSent: _INVALID,
    refusals.CredentialSent: _INVALID,
    refusals.ResponseNotFound: _INVALID._replace(code="previous_response_not_found"),
    refusals.WrongWireFormat: _INVALID,
    refusals.RouteNotFound: Shape(404, "invalid_request_error", "", 404, "not_found_error"),
    refusals.ModelNotServed: Shape(
        404, "invalid_request_error", "model_not_found", 404, "not_found_error"
    ),
    refusals.BodyTooLarge: Shape(413, "invalid_request_error", "", 413, "request_too_large"),
    refusals.TooManyLargeBodies: _NOT_AVAILABLE._replace(retry=True),
    refusals.BodyTooSlow: Shape(408, "invalid_request_error", "", 408, "timeout_error", retry=True),
    keys.KeyFull: _NOT_AVAILABLE,
    refusals.KeyUnusable: _NOT_AVAILABLE,
    refusals.ProviderUnreachable: Shape(502, "server_error", "", 502, "api_error", retry=True),
    refusals.UnusableAnswer: Shape(502, "server_error", "", 502, "api_error"),
    refusals.AnswerLost: Shape(504, "server_error", "", 504, "timeout_error"),
}

_ABOUT_FIELD = (refusals.InvalidRequest, refusals.CannotBeBounded, refusals.ResponseNotFound)


class ErrorResponse(NamedTuple):
    """An error response whose body is not encoded yet."""

    status: int
    headers: Headers
    body: dict[str, Any]

    def serialize(self) -> tuple[int, Headers, bytes]:
        """Status, headers and body as JSON."""
        return self.status, self.headers, msgspec.json.encode(self.body)


def refusal_response(
    refusal: Refusal, *, wire_format: str, request_id: str, status: int | None = None
) -> tuple[int, Headers, bytes]:
    """Status, headers and body. `status`: what the allocation chose for a lack of budget."""
    shape = SHAPES.get(type(refusal), BROKEN)
    facts = refusal.facts()
    detail, body_facts = refusal.detail, facts
    if isinstance(refusal, keys.NoBudget) and shape is BUDGET:
        detail = budget_message.budget_message(refusal)
        body_facts = budget_message.body_facts(refusal)
    response = error_response(shape, detail, wire_format=wire_format, request_id=request_id)
    response.headers.extend(_refusal_headers(facts))
    response.body["butler"] = {"code": refusal.code, **body_facts}
    if shape is BUDGET and status:
        response = response._replace(status=status)
    if (seconds := _retry_after(refusal)) is not None:
        response.headers.append((b"retry-after", str(seconds).encode()))
    if wire_format == "openai":
        response.body["error"]["code"] = shape.code or refusal.code
        if isinstance(refusal, _ABOUT_FIELD):
            response.body["error"]["param"] = refusal.field
    return response.serialize()


def error_response(
    shape: Shape, detail: str, *, wire_format: str, request_id: str
) -> ErrorResponse:
    """An error in the wire format's shape."""
    headers = [(b"content-type", b"application/json"), *request_id_headers(request_id)]
    if not shape.retry:
        headers.append((b"x-should-retry", b"false"))
    error: dict[str, Any]
    if wire_format == "anthropic":
        error = {"type": shape.anthropic_type, "message": detail}
        body = {"type": "error", "error": error, "request_id": request_id}
        return ErrorResponse(shape.anthropic_status, headers, body)
    error = {"message": detail, "type": shape.type, "param": None, "code": shape.code}
    return ErrorResponse(shape.status, headers, {"error": error})


def stream_error_event(dialect: Dialect, request_id: str) -> bytes:
    """The event that tells a client that its stream broke."""
    broken = "The provider broke off in the middle of its answer."
    return _event(dialect, request_id, refusals.AnswerLost, broken)


def refusal_event(dialect: Dialect, request_id: str, refusal: Refusal) -> bytes:
    """The event that tells a client why its stream was ended."""
    return _event(dialect, request_id, type(refusal), refusal.detail)


def _event(dialect: Dialect, request_id: str, kind: type[Refusal], detail: str) -> bytes:
    shape = SHAPES[kind]._replace(code=kind.code)
    response = error_response(shape, detail, wire_format=dialect.wire_format, request_id=request_id)
    return dialect.error_event(response.body)


def is_budget(refusal: Refusal) -> bool:
    """Whether the allocation lacks the tokens."""
    return SHAPES.get(type(refusal)) is BUDGET


def is_bug(refusal: Refusal) -> bool:
    """Whether the refusal has no shape: no request should end in it."""
    return type(refusal) not in SHAPES


def mask_for_slot(refusal: Refusal) -> Refusal:
    """The refusal as a slot's program gets it: without the reason, unless it may retry.

    OpenClaw looks for words of budgets and credentials in every error, also in one of 400. If it
    finds some, it does not use the slot for minutes.
    """
    if SHAPES.get(type(refusal), BROKEN).retry:
        return refusal
    return refusals.SlotRefused(
        "Butler did not accept this request. The page of its slot in the admin shows why."
    )


_HEADERS_OF_FACTS = {
    "cost": b"x-butler-cost",
    "allocated": b"x-butler-tokens-allocated",
    "used": b"x-butler-tokens-used",
    "held": b"x-butler-tokens-held",
    "left": b"x-butler-tokens-left",
    "needed": b"x-butler-tokens-needed",
    "charge_id": b"x-butler-charge-id",
    "key_id": b"x-butler-key-id",
}


def _refusal_headers(facts: dict[str, JSON]) -> Headers:
    """Headers that every response of a call has, as far as the refusal has the fact."""
    values = {"cost": "0", **facts}
    return [
        (header, str(values[fact]).encode())
        for fact, header in _HEADERS_OF_FACTS.items()
        if fact in values
    ]


def _retry_after(refusal: Refusal) -> int | None:
    """In how many seconds a retry can succeed, if that is known."""
    if isinstance(refusal, _IN_FLIGHT):
        return _IN_FLIGHT_RETRY_SECONDS
    if isinstance(refusal, keys.RateLimited) and refusal.until:
        return _seconds_until(refusal.until)
    return None


def _seconds_until(moment: datetime) -> int:
    """Whole seconds from now, at least one."""
    return max(1, -int((datetime.now(UTC) - moment).total_seconds() // 1))
