"""Read the body of a call: a large one only for a session that can pay, and while there is room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from common import database_clock
from gateway.dialects import Dialect
from gateway.large_bodies import SMALL_BYTES_MAX
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.books.queries.unpayable import refusal_of_any_call
from keys.supply.queries.upstreams import Session


@asynccontextmanager
async def received_body(
    runtime: Runtime, request: Request, dialect: Dialect
) -> AsyncIterator[bytes]:
    """The body of a call, in memory that is shared until the call has ended.

    Refusals: InvalidToken, SlotEmpty, TooManyLargeBodies, those of `Request.body`, and those of the
    books for a session that can pay for no call.
    """
    bytes_max = (
        settings.GATEWAY_BODY_BYTES_MAX
        if dialect.takes_media
        else settings.GATEWAY_TEXT_BODY_BYTES_MAX
    )
    if request.body_size_max is not None and request.body_size_max <= SMALL_BYTES_MAX:
        yield await request.body(bytes_max=bytes_max)
        return
    session = await runtime.sessions.of(request.token)
    await _check_payable(runtime, request, session, dialect)
    with runtime.large_bodies.room(session.agent) as room:
        yield await request.body(bytes_max=bytes_max, take_room=room.take)


async def _check_payable(
    runtime: Runtime, request: Request, session: Session, dialect: Dialect
) -> None:
    refusal = await runtime.threads.run(
        refusal_of_any_call,
        session.allocation_id,
        spends=dialect.spends,
        idempotency_key=request.idempotency_key,
        now=database_clock.now(),
    )
    if refusal:
        raise refusal
