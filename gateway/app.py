"""The gateway as an ASGI application: no framework between the socket and a call."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from common.database_retry import DATABASE_AWAY
from common.refusal import Refusal
from common.request_body import ClientGone, Receive
from gateway import cors, dialects, error_responses, paths
from gateway.client_hints import client_hint
from gateway.refusals import RouteNotFound
from gateway.requests import Request, Scope, Send
from gateway.routes import ROUTES, Route
from gateway.runtime import Runtime
from keys.books.queries.slots import slot_of

logger = logging.getLogger(__name__)

# Clients must not retry by themselves: the call may have been made.
_STOPPING = error_responses.UNAVAILABLE._replace(code="stopping", retry=False)


class Gateway:
    """Serves `/v1/…`, the same routes in other spellings (`paths`), and the probe that clients send
    to `/` first; open while `running`."""

    def __init__(self) -> None:
        self._open_runtime: Runtime | None = None

    @staticmethod
    def serves(scope: Scope) -> bool:
        """Whether the gateway serves an HTTP request. Claude Code first sends HEAD /."""
        path: str = scope["path"]
        if path.startswith("/v1/"):
            return True
        if path == "/":
            return _is_probe(scope)
        if paths.has_version(path):
            return True
        # A page of the dashboard may have the same name; only browsers want pages.
        return paths.is_unversioned(path) and not _wants_page(scope)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Gateway"]:
        """Open for the life of an event loop; at its end calls are settled before it closes."""
        self._open_runtime = Runtime()
        try:
            yield self
        finally:
            await self._open_runtime.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = cors.allowed_origin(scope)
        request = Request(scope, receive, cors.with_origin(send, origin) if origin else send)
        try:
            if origin and cors.is_preflight(request):
                await request.respond(204, cors.preflight_headers(request), b"")
            else:
                await self._serve(request)
        except ClientGone:
            return
        except asyncio.CancelledError:
            # The server stops and has waited long enough. A response that began is cut off.
            await _fail(
                request, _STOPPING, "Butler is stopping. If the call was made, it is charged."
            )
        except Refusal as refusal:
            await self._refuse(request, refusal)
        except DATABASE_AWAY as error:
            logger.warning("%s %s: the database is away: %s", request.method, request.path, error)
            await _fail(
                request,
                error_responses.UNAVAILABLE,
                "The database is temporarily unavailable. Please retry.",
            )
        except Exception:
            logger.exception("%s %s failed (%s)", request.method, request.path, request.id)
            if request.response_started:
                raise
            await _fail(
                request,
                error_responses.BROKEN,
                f"Butler failed. Its log has the details under {request.id}.",
            )

    @property
    def _runtime(self) -> Runtime:
        if self._open_runtime is None:
            raise RuntimeError("The gateway serves only while it is `running`.")
        return self._open_runtime

    async def _serve(self, request: Request) -> None:
        if request.path == "/":
            await request.respond(200, [], b"")
            return
        route = ROUTES.get((request.method, request.path)) or _other_spelling(request)
        session = await self._runtime.sessions.of(request.token)
        with self._runtime.agent_calls.one_more(session.agent):
            await route.serve(self._runtime, request, dialect=route.dialect, admit=route.admit)

    async def _refuse(self, request: Request, refusal: Refusal) -> None:
        if error_responses.is_bug(refusal):
            logger.error("refused: %s", refusal.code, exc_info=refusal)
        if slot := slot_of(request.token):
            await self._runtime.sessions.record_slot_refusal(slot, refusal)
            refusal = error_responses.mask_for_slot(refusal)
        elif hint := client_hint(refusal, user_agent=request.user_agent):
            refusal.detail = f"{refusal.detail} {hint}"
        status = await self._refusal_status(request, refusal)
        response = error_responses.refusal_response(
            refusal, wire_format=_wire_format(request), request_id=request.id, status=status
        )
        # Its traceback has frames of the call that have it too: together they would keep
        # the body of the request in memory until garbage is collected.
        refusal.with_traceback(None)
        await request.respond(*response)

    async def _refusal_status(self, request: Request, refusal: Refusal) -> int | None:
        if not error_responses.is_budget(refusal):
            return None
        # The session was read for this very request, so it is cached.
        return (await self._runtime.sessions.of(request.token)).refusal_status


def _other_spelling(request: Request) -> Route:
    """The route that the path means; the request gets the path of the route.

    Refusal: RouteNotFound.
    """
    sent = request.path
    request.path, request.model_in_path = paths.target_of(sent)
    if route := ROUTES.get((request.method, request.path)):
        return route
    base = settings.PUBLIC_URL
    raise RouteNotFound(
        f"{request.method} {sent} is not a route of Butler's gateway, so nothing was forwarded. The"
        f" base URL is {base}/v1 for clients of OpenAI's API and {base} for clients of Anthropic's."
        " Routes: " + ", ".join(f"{method} {path}" for method, path in ROUTES)
    )


def _wants_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _is_probe(scope: Scope) -> bool:
    return bool(scope["method"] == "HEAD")


def _wire_format(request: Request) -> str:
    if b"anthropic-version" in request.headers:
        return "anthropic"
    return dialects.wire_format_of(request.path)


async def _fail(request: Request, shape: error_responses.Shape, detail: str) -> None:
    if request.response_started:
        return
    response = error_responses.error_response(
        shape, detail, wire_format=_wire_format(request), request_id=request.id
    )
    await request.respond(*response.serialize())
