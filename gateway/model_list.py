"""`GET /v1/models`: answered here, without the provider."""

from typing import Any

import msgspec

from gateway.admission import Identify
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.supply.queries.upstreams import Upstream

# Anthropic's clients require the field; Butler does not know when a model was made.
_CREATED_AT = "1970-01-01T00:00:00Z"


async def list_models(
    runtime: Runtime, request: Request, *, dialect: None, admit: Identify
) -> None:
    """Name the only model the session can use: that of its API key. Refusals: those of `admit`."""
    session = await admit(runtime, request)
    upstream = await runtime.sessions.upstream(session.api_key)
    anthropic = b"anthropic-version" in request.headers
    body = _anthropic_list(upstream) if anthropic else _openai_list(upstream)
    headers = [(b"content-type", b"application/json")]
    await request.respond(200, headers, msgspec.json.encode(body))


def _anthropic_list(upstream: Upstream) -> dict[str, Any]:
    name = upstream.model
    model = {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
    return {"data": [model], "has_more": False, "first_id": name, "last_id": name}


def _openai_list(upstream: Upstream) -> dict[str, Any]:
    model = {"id": upstream.model, "object": "model", "created": 0, "owned_by": upstream.provider}
    return {"object": "list", "data": [model]}
