"""Ask a provider how many tokens it counts for the input of a call."""

import asyncio
import hashlib
from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec
from django.conf import settings

from gateway import upstream
from gateway.answer_body import Lost
from gateway.call import Call
from gateway.counts.routes import CountRoute, count_route
from gateway.dialects.json_body import DECODE_ERRORS, join_fields

_NO_SUCH_ROUTE = (404, 405, 501)
# How long the count route of a key is left alone: after it proved not to exist, and after any other
# failure that was not about the request.
_PAUSE_WITHOUT_ROUTE_SECONDS = 3600
_PAUSE_SECONDS = 30
_ABOUT_REQUEST = (400, 413, 422)
_BETA_HEADER = b"anthropic-beta"


class _Answer(msgspec.Struct):
    input_tokens: int


_decode = msgspec.json.Decoder(_Answer).decode


async def ask_provider(call: Call, fields: Mapping[str, Any]) -> int | None:
    """The most that the provider can bill for an input of `fields`, by its own count.

    None: the provider does not count, or not now. What it answers says nothing about the key,
    because nothing else depends on this route.
    """
    route = count_route(call.upstream.provider, call.dialect.path)
    return None if route is None or route.only_files else await _count(call, route, fields)


async def ask_for_files(call: Call, files: list[dict[str, Any]]) -> int | None:
    """The most that the provider can bill for the files of a request, by its own count."""
    route = count_route(call.upstream.provider, call.dialect.path)
    if route is None:
        return None
    if route.dialect.wire_format == "anthropic":
        return await _count(call, route, {"messages": [{"role": "user", "content": files}]})
    content = [{**each.get("file", each), "type": "input_file"} for each in files]
    return await _count(call, route, {"input": [{"role": "user", "content": content}]})


async def _count(call: Call, route: CountRoute, fields: Mapping[str, Any]) -> int | None:
    if not settings.GATEWAY_COUNT_SECONDS:
        return None
    known = call.runtime.counts
    body, digest = await call.runtime.large_bodies.run_if_large(
        call.session.agent, call.request, _question, call, route, fields
    )
    tokens = known.of(digest)
    if tokens is None and not _is_paused(call):
        task = known.running.get(digest)
        if task is None:
            task = call.runtime.run_detached(_ask(call, route, body))
            known.running[digest] = task
            task.add_done_callback(lambda _: known.running.pop(digest, None))
        tokens = await asyncio.shield(task)
        if tokens is not None:
            known.add(digest, tokens)
    return None if tokens is None else route.with_margin(tokens)


def _question(call: Call, route: CountRoute, fields: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The body that asks for a count, and the digest of all that the answer depends on."""
    counted = {name: value for name, value in fields.items() if name in route.fields}
    body = join_fields(counted, model=call.model)
    beta = call.request.headers.get(_BETA_HEADER, b"")
    digest = hashlib.sha256(
        b"\0".join([call.upstream.base_url.encode(), route.dialect.path.encode(), beta, body])
    ).digest()
    return body, digest


async def _ask(call: Call, route: CountRoute, body: bytes) -> int | None:
    try:
        async with asyncio.timeout(settings.GATEWAY_COUNT_SECONDS):
            response = await upstream.send(
                call.runtime.pool, call.request, call.upstream, dialect=route.dialect, body=body
            )
            async with response:
                answer = await upstream.read(response, call.upstream)
    except (TimeoutError, Lost, upstream.NothingSent):
        _pause(call, _PAUSE_SECONDS)
        return None
    tokens = _tokens_in(answer) if response.status == 200 else None
    if tokens is None and response.status not in _ABOUT_REQUEST:
        is_missing = response.status in _NO_SUCH_ROUTE
        _pause(call, _PAUSE_WITHOUT_ROUTE_SECONDS if is_missing else _PAUSE_SECONDS)
    return tokens


def _tokens_in(answer: bytes) -> int | None:
    """The count in an answer; None if there is none that can be true."""
    try:
        tokens = _decode(answer).input_tokens
    except DECODE_ERRORS:
        return None
    return tokens if tokens > 0 else None


def _is_paused(call: Call) -> bool:
    until = call.runtime.lessons.of(call.upstream, call.model).counts_not_before
    return until is not None and monotonic() < until


def _pause(call: Call, seconds: int) -> None:
    call.runtime.lessons.add(call.upstream, call.model, counts_not_before=monotonic() + seconds)
