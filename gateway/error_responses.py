"""How the gateway says no: in the shape the client's SDK understands, and so that none storms.

SDKs retry 408, 409, 429 and 5xx by themselves unless `x-should-retry: false` is there.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from django.conf import settings

from common.refusal import Refusal
from gateway import refusals
from gateway.dialects import Dialect
from gateway.requests import Headers
from keys import refusals as keys
from keys.supply.queries.upstreams import Upstream


class Shape(NamedTuple):
    """A refusal in both wire formats: status, type and code in OpenAI's, status and type in
    Anthropic's. `retry`: whether asking again by itself may help."""

    status: int
    type: str
    code: str
    anthropic_status: int
    anthropic_type: str
    retry: bool = False


BUDGET = Shape(429, "insufficient_quota", "insufficient_quota", 402, "billing_error")
_INVALID = Shape(400, "invalid_request_error", "", 400, "invalid_request_error")
_UNKNOWN_TOKEN = Shape(401, "invalid_request_error", "invalid_api_key", 401, "authentication_error")
_CONFLICT = Shape(409, "invalid_request_error", "", 409, "invalid_request_error")
_NOT_AVAILABLE = Shape(503, "server_error", "", 503, "api_error")
_RATE = Shape(429, "requests", "rate_limit_exceeded", 429, "rate_limit_error", retry=True)
BROKEN = Shape(500, "server_error", "internal_error", 500, "api_error")
UNAVAILABLE = _NOT_AVAILABLE._replace(code="unavailable", retry=True)

# Nobody told Butler when a model was made.
_EPOCH = "1970-01-01T00:00:00Z"

# THE table of the gateway. A blank code is the refusal's own.
SHAPES: dict[type[Refusal], Shape] = {
    keys.AllocationTooSmall: BUDGET,
    keys.AllocationClosed: BUDGET,
    keys.RateLimited: _RATE,
    keys.UnknownAllocation: _UNKNOWN_TOKEN,
    keys.AgentDisabled: Shape(403, "invalid_request_error", "", 403, "permission_error"),
    keys.IdempotencyMismatch: _CONFLICT,
    refusals.AlreadyCalled: _CONFLICT,
    refusals.NotAuthenticated: _UNKNOWN_TOKEN,
    refusals.SlotEmpty: _INVALID,
    refusals.SlotRefused: _INVALID,
    refusals.Unreadable: _INVALID,
    refusals.CannotBeBounded: _INVALID,
    refusals.WrongWireFormat: _INVALID,
    refusals.UnknownRoute: Shape(404, "invalid_request_error", "", 404, "not_found_error"),
    refusals.BodyTooLarge: Shape(413, "invalid_request_error", "", 413, "request_too_large"),
    refusals.KeyUnusable: _NOT_AVAILABLE,
    refusals.ProviderUnreachable: Shape(502, "server_error", "", 502, "api_error", retry=True),
    refusals.AnswerLost: Shape(504, "server_error", "", 504, "timeout_error"),
}


def refused(
    refusal: Refusal, *, wire_format: str, request_id: str, status: int | None = None
) -> tuple[int, Headers, bytes]:
    """Status, headers and body. `status`: how the allocation wants a want of budget answered."""
    shape = SHAPES.get(type(refusal), BROKEN)
    if shape is BUDGET:
        refusal = _with_link(refusal)
    answer = said(shape, refusal.detail, wire_format=wire_format, request_id=request_id)
    number, headers, body = answer
    headers += _told(refusal)
    body["butler"] = {"code": refusal.code, **refusal.facts}
    if shape is BUDGET and status:
        number = status
    if until := shape.retry and refusal.facts.get("until"):
        headers.append((b"retry-after", str(_seconds_until(until)).encode()))
    if wire_format == "openai":
        body["error"]["code"] = shape.code or refusal.code
        body["error"]["param"] = refusal.facts.get("field")
    return encoded((number, headers, body))


def told(*, request_id: str, charge_id: int, key_id: str | None = None) -> Headers:
    """What every answer says of its call; the request's id as both SDKs look for it."""
    headers = [*_named(request_id), (b"x-butler-charge-id", str(charge_id).encode())]
    if key_id:
        headers.append((b"x-butler-key-id", key_id.encode()))
    return headers


def _named(request_id: str) -> Headers:
    names = (b"x-butler-request-id", b"x-request-id", b"request-id")
    return [(name, request_id.encode()) for name in names]


def is_budget(refusal: Refusal) -> bool:
    """Whether it is for want of budget."""
    return SHAPES.get(type(refusal)) is BUDGET


def in_plain_words(refusal: Refusal) -> Refusal:
    """As a slot's program is told, unless it may ask again.

    OpenClaw looks for words of budgets and credentials in an answer, also in one of 400, and does
    not use a slot again for minutes where it finds some.
    """
    if SHAPES.get(type(refusal), BROKEN).retry:
        return refusal
    return refusals.SlotRefused("Butler says no to this request. It knows why.")


def is_bug(refusal: Refusal) -> bool:
    """Whether nobody gave it a shape."""
    return type(refusal) not in SHAPES


def encoded(answer: tuple[int, Headers, dict[str, Any]]) -> tuple[int, Headers, bytes]:
    """An answer with its body as JSON."""
    status, headers, body = answer
    return status, headers, msgspec.json.encode(body)


def said(
    shape: Shape, detail: str, *, wire_format: str, request_id: str
) -> tuple[int, Headers, dict[str, Any]]:
    """An error in the wire format's shape; the body is not encoded yet."""
    headers = [(b"content-type", b"application/json"), *_named(request_id)]
    if not shape.retry:
        headers.append((b"x-should-retry", b"false"))
    if wire_format == "anthropic":
        error = {"type": shape.anthropic_type, "message": detail}
        body = {"type": "error", "error": error, "request_id": request_id}
        return shape.anthropic_status, headers, body
    error = {"message": detail, "type": shape.type, "param": None, "code": shape.code}
    return shape.status, headers, {"error": error}


def _told(refusal: Refusal) -> Headers:
    """The headers of every answer, as far as a refusal knows them."""
    facts = {"x-butler-cost": refusal.facts.get("cost", "0")}
    facts |= {
        f"x-butler-{name}": refusal.facts[fact]
        for name, fact in (
            ("tokens-left", "left"),
            ("charge-id", "charge_id"),
            ("key-id", "key_id"),
        )
        if fact in refusal.facts
    }
    return [(name.encode(), str(fact).encode()) for name, fact in facts.items()]


def _with_link(refusal: Refusal) -> Refusal:
    """With the allocation's numbers in words, if it has them, and where to look further."""
    budget = refusal.facts
    if "ends_at" not in budget:
        return refusal
    link = f"{settings.PUBLIC_URL}/api/v1/allocations/{budget['session_id']}"
    words = (
        f"{refusal.detail} Budget {budget['session_id']}: {budget['allocated']:,} tokens lent "
        f"until {budget['ends_at'][:16]} UTC, {budget['used']:,} used, {budget['held']:,} held "
        f"for calls in flight. It is not refilled; lend another one. {link}"
    )
    return type(refusal)(words, **budget, resets_at=None, link=link)


def _seconds_until(moment: str) -> int:
    """Whole seconds from now, at least one."""
    return max(1, -int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() // 1))


def broken_stream(dialect: Dialect, request_id: str) -> bytes:
    """The event that tells the client of a stream that its answer broke off."""
    words = "The provider broke off in the middle of its answer."
    shape = SHAPES[refusals.AnswerLost]._replace(code=refusals.AnswerLost.code)
    _, _, body = said(shape, words, wire_format=dialect.wire_format, request_id=request_id)
    if dialect.path == "/responses":
        # OpenAI documents the fields at the top and sends `error`; its SDKs raise only at that.
        body = {**body["error"], "type": "error", "sequence_number": 0, **body}
    name = b"" if dialect.path == "/chat/completions" else b"event: error\n"
    return name + b"data: " + msgspec.json.encode(body) + b"\n\n"


def model_list(key: Upstream, *, anthropic: bool) -> bytes:
    """The one model of a key, as the wire format lists models."""
    if anthropic:
        model = {"type": "model", "id": key.model, "display_name": key.model, "created_at": _EPOCH}
        ends = {"has_more": False, "first_id": key.model, "last_id": key.model}
        return msgspec.json.encode({"data": [model], **ends})
    model = {"id": key.model, "object": "model", "created": 0, "owned_by": key.provider}
    return msgspec.json.encode({"object": "list", "data": [model]})
