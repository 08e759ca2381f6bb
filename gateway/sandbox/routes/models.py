"""`GET /v1/models`: a few names; the sandbox answers to any."""

from typing import Any

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import Asked

WIRE_FORMAT = "openai"
PREFIX = "req_"
PRODUCES = False
BILLS = False

_NAMES = ("sandbox-large", "sandbox-small", "sandbox-embedding")
_MADE = 1_767_225_600  # 2026-01-01


def read(body: dict[str, Any]) -> Asked:
    """Nothing is asked."""
    return Asked(model="", text="", input_tokens=0, fields=body)


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer: what both wire formats say of a model."""
    return {
        "object": "list",
        "data": [_model(name) for name in _NAMES],
        "has_more": False,
        "first_id": _NAMES[0],
        "last_id": _NAMES[-1],
    }


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": _MADE,
        "owned_by": "sandbox",
        "type": "model",
        "display_name": name.replace("-", " ").capitalize(),
        "created_at": "2026-01-01T00:00:00Z",
    }
