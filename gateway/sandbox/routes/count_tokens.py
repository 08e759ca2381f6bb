"""`POST /v1/messages/count_tokens`: what a message would have as input; costs nothing."""

from typing import Any

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import Asked
from gateway.sandbox.routes import messages

WIRE_FORMAT = "anthropic"
PREFIX = "req_"
PRODUCES = False
BILLS = False


def read(body: dict[str, Any]) -> Asked:
    """Take a request apart. Errors: Wrong."""
    asked = messages.conversation(body)
    asked.stream = False
    return asked


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer."""
    return {"input_tokens": reply.bill.input}
