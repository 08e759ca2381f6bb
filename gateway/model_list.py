"""`GET /v1/models` and `/v1/models/{id}`: answered here, without the provider."""

from typing import Any

import msgspec

from gateway.admission import Identify
from gateway.refusals import ModelNotFound
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.supply.queries.upstreams import Upstream

# Anthropic's clients require the field; Butler does not know when a model was made.
_CREATED_AT = "1970-01-01T00:00:00Z"


async def list_models(
    runtime: Runtime, request: Request, *, dialect: None, admit: Identify
) -> None:
    """Name the only model the session can use: that of its API key. Refusals: those of `admit`."""
    upstream = await _upstream(runtime, request, admit)
    model = _model(request, upstream)
    if _is_anthropic(request):
        name = upstream.model
        body = {"data": [model], "has_more": False, "first_id": name, "last_id": name}
    else:
        body = {"object": "list", "data": [model]}
    await _respond(request, body)


async def retrieve_model(
    runtime: Runtime, request: Request, *, dialect: None, admit: Identify
) -> None:
    """Describe the model in the path, if the session can use it.

    Refusals: those of `admit`, ModelNotFound.
    """
    upstream = await _upstream(runtime, request, admit)
    if request.model_in_path != upstream.model:
        raise ModelNotFound(
            f"This session has no model {request.model_in_path!r}. Its model is {upstream.model}.",
            model=request.model_in_path,
            models=[upstream.model],
        )
    await _respond(request, _model(request, upstream))


async def _upstream(runtime: Runtime, request: Request, admit: Identify) -> Upstream:
    session = await admit(runtime, request)
    return await runtime.sessions.upstream(session.api_key)


def _is_anthropic(request: Request) -> bool:
    return b"anthropic-version" in request.headers


def _model(request: Request, upstream: Upstream) -> dict[str, Any]:
    name = upstream.model
    if _is_anthropic(request):
        return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
    return {"id": name, "object": "model", "created": 0, "owned_by": upstream.provider}


async def _respond(request: Request, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await request.respond(200, headers, msgspec.json.encode(body))
