"""`GET /v1/models`: a few names; the sandbox accepts any model."""

from typing import Any

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import SandboxRequest

WIRE_FORMAT = "openai"
PREFIX = "req_"
PRODUCES = False
BILLS = False

_NAMES = ("sandbox-large", "sandbox-small", "sandbox-embedding")
_CREATED = 1_767_225_600  # 2026-01-01


def read(body: dict[str, Any]) -> SandboxRequest:
    """An empty request: the body is ignored."""
    return SandboxRequest(model="", text="", input_tokens=0, fields=body)


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer, with the fields that both wire formats have for a model."""
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
        "created": _CREATED,
        "owned_by": "sandbox",
        "type": "model",
        "display_name": name.replace("-", " ").capitalize(),
        "created_at": "2026-01-01T00:00:00Z",
    }
