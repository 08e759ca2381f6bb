"""`POST /v1/responses/input_tokens`: the input tokens that a response would have; costs nothing."""

from typing import Any

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import SandboxRequest
from gateway.sandbox.routes import responses

WIRE_FORMAT = "openai"
PREFIX = "req_"
PRODUCES = False
BILLS = False


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    request = responses.read(body)
    request.stream = False
    return request


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer."""
    return {"object": "response.input_tokens", "input_tokens": reply.bill.input}
