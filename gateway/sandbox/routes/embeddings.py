"""`POST /v1/embeddings`."""

import base64
import struct
import zlib
from random import Random
from typing import Any

from gateway.sandbox import request_fields
from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import SandboxRequest

WIRE_FORMAT = "openai"
PREFIX = "embd-"
PRODUCES = False
BILLS = True

# Real models have 1,536 and more; the vectors of the sandbox mean nothing.
_DIMENSIONS = 16


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    inputs = _inputs(body)
    request_fields.number(body, "dimensions")
    return SandboxRequest(
        model=request_fields.string(body, "model"),
        text="\n".join(one for one in inputs if isinstance(one, str)),
        input_tokens=sum(map(_tokens, inputs)),
        fields=body,
    )


def whole(reply: Reply) -> dict[str, Any]:
    """The body of the answer."""
    fields = reply.request.fields
    size = fields.get("dimensions") or _DIMENSIONS
    vectors: list[Any] = [_vector(each, size) for each in _inputs(fields)]
    if fields.get("encoding_format") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{size}f", *each)).decode() for each in vectors]
    usage = {"prompt_tokens": reply.bill.input, "total_tokens": reply.bill.input}
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": vector}
            for number, vector in enumerate(vectors)
        ],
        "model": reply.request.model,
        **reply.usage_field(usage),
    }


def _inputs(body: dict[str, Any]) -> list[Any]:
    """The inputs: texts, or the token ids of texts."""
    given = body.get("input")
    if not given or not isinstance(given, str | list):
        raise request_fields.InvalidRequest("input must be a string or a list.")
    return [given] if isinstance(given, str) or isinstance(given[0], int) else given


def _tokens(one: Any) -> int:
    return request_fields.tokens(one, messages=0) if isinstance(one, str) else len(one)


def _vector(one: Any, size: int) -> list[float]:
    numbers = Random(zlib.crc32(str(one).encode("utf-8", "surrogatepass")))  # noqa: S311
    return [numbers.uniform(-1, 1) for _ in range(size)]
