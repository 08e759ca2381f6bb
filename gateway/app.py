"""The gateway as an ASGI application: no framework between the socket and a call."""

import asyncio
import logging
from contextlib import asynccontextmanager

from django.db import InterfaceError, OperationalError

from common.refusal import Refusal
from gateway import error_responses
from gateway.refusals import UnknownRoute
from gateway.requests import ClientGone, Receive, Request, Scope, Send
from gateway.routes import ROUTES
from gateway.runtime import Office
from keys.books.queries.slots import slot_of

logger = logging.getLogger(__name__)

# Not to be repeated by itself: the call may have been made.
_STOPPING = error_responses.UNAVAILABLE._replace(code="stopping", retry=False)


class Gateway:
    """Serves `/v1/…` and the probe that clients send to `/` first; open while `running`."""

    def __init__(self) -> None:
        self._office: Office | None = None

    @staticmethod
    def serves(scope: Scope) -> bool:
        """Whether an HTTP request is the gateway's. Claude Code asks HEAD / before anything."""
        path = scope["path"]
        return path.startswith("/v1/") or path == "/v1" or (path == "/" and _is_probe(scope))

    @asynccontextmanager
    async def running(self):
        """Open for the life of an event loop; at its end calls are settled before it closes."""
        self._office = Office()
        try:
            yield self
        finally:
            await self._office.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            await self._serve(request)
        except ClientGone:
            return
        except asyncio.CancelledError:
            # The server stops and has waited long enough for what runs; half an answer it cuts off.
            await _fail(request, _STOPPING, "Butler stops. If the call was made, it is charged.")
        except Refusal as refusal:
            await self._refuse(request, refusal)
        except (OperationalError, InterfaceError) as error:
            logger.warning("%s %s: the database is away: %s", request.method, request.path, error)
            await _fail(
                request, error_responses.UNAVAILABLE, "Butler's database is away. Ask again."
            )
        except Exception:
            logger.exception("%s %s failed (%s)", request.method, request.path, request.id)
            if request.answering:
                raise
            await _fail(
                request, error_responses.BROKEN, f"Butler failed; its log names {request.id}."
            )

    async def _serve(self, request: Request) -> None:
        if request.path == "/":
            await request.answer(200, [], b"")
            return
        route = ROUTES.get((request.method, request.path))
        if route is None:
            raise UnknownRoute(
                f"{request.method} {request.path} is not metered, so it is not forwarded. Routes: "
                + ", ".join(f"{method} {path}" for method, path in ROUTES)
            )
        await route.serve(self._office, request, dialect=route.dialect, admit=route.admit)

    async def _refuse(self, request: Request, refusal: Refusal) -> None:
        if error_responses.is_bug(refusal):
            logger.error("refused: %s", refusal.code, exc_info=refusal)
        if slot := slot_of(request.token):
            await self._office.sessions.note(slot, refusal)
            refusal = error_responses.in_plain_words(refusal)
        status = await self._refusal_status(request, refusal)
        answer = error_responses.refused(
            refusal, wire_format=_wire_format(request), request_id=request.id, status=status
        )
        await request.answer(*answer)

    async def _refusal_status(self, request: Request, refusal: Refusal) -> int | None:
        if not error_responses.is_budget(refusal):
            return None
        # It was read for this very request, so it is known.
        return (await self._office.sessions.of(request.token)).refusal_status


def _is_probe(scope: Scope) -> bool:
    return scope["method"] == "HEAD"


def _wire_format(request: Request) -> str:
    anthropic = request.path.startswith("/v1/messages") or b"anthropic-version" in request.headers
    return "anthropic" if anthropic else "openai"


async def _fail(request: Request, shape: error_responses.Shape, words: str) -> None:
    if request.answering:
        return
    error = error_responses.said(
        shape, words, wire_format=_wire_format(request), request_id=request.id
    )
    await request.answer(*error_responses.encoded(error))
