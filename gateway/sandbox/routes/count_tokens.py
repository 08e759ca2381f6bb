"""`POST /v1/messages/count_tokens`: the input tokens that a message would have; costs nothing."""

from typing import Any

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import SandboxRequest
from gateway.sandbox.routes import messages

WIRE_FORMAT = "anthropic"
PREFIX = "req_"
PRODUCES = False
BILLS = False


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    request = messages.read_conversation(body)
    request.stream = False
    return request


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer."""
    return {"input_tokens": reply.bill.input}
