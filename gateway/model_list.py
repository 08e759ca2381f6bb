"""`GET /v1/models` and `/v1/models/{id}`: answered here, without the provider."""

from typing import Any

import msgspec

from gateway.admission import Identify
from gateway.model_choice import usable_models
from gateway.refusals import ModelNotServed
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.supply.queries.upstreams import Served, Upstream

# Anthropic's clients require the field; Butler does not know when a model was made.
_CREATED_AT = "1970-01-01T00:00:00Z"


async def list_models(
    runtime: Runtime, request: Request, *, dialect: None, admit: Identify
) -> None:
    """List the models that the session can use, its default first. Refusals: those of `admit`."""
    usable = await usable_models(runtime, await admit(runtime, request))
    body: dict[str, Any] = {"data": [_model(request, *each) for each in usable]}
    if _is_anthropic(request):
        names = [served.name for served, _ in usable]
        body |= {
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    else:
        body = {"object": "list", **body}
    await _respond(request, body)


async def retrieve_model(
    runtime: Runtime, request: Request, *, dialect: None, admit: Identify
) -> None:
    """Describe the model in the path, or that its alias means, if the session can use it.

    Refusals: those of `admit`, ModelNotServed.
    """
    name = request.model_in_path
    usable = await usable_models(runtime, await admit(runtime, request))
    meant = (await runtime.sessions.policies()).meaning(name)
    for each in filter(None, (name, meant)):
        for served, upstream in usable:
            if upstream.serving(each) == served:
                await _respond(request, _model(request, served._replace(name=name), upstream))
                return
    names = [served.name for served, _ in usable]
    raise ModelNotServed(
        f"This session cannot use the model {name!r}. Its models are {', '.join(names)}.",
        model=name,
        models=names,
    )


def _is_anthropic(request: Request) -> bool:
    return b"anthropic-version" in request.headers


def _model(request: Request, served: Served, upstream: Upstream) -> dict[str, Any]:
    name = served.name
    if _is_anthropic(request):
        return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
    return {"id": name, "object": "model", "created": 0, "owned_by": upstream.provider}


async def _respond(request: Request, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await request.respond(200, headers, msgspec.json.encode(body))
