"""The one way in: whoever wants something of a provider is known, and holds what it can cost."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from django.conf import settings

from gateway import failover
from gateway.dialects import Asked, Dialect
from gateway.refusals import AlreadyCalled, WrongWireFormat
from gateway.requests import Request
from gateway.runtime import Office
from keys import refusals as keys_refusals
from keys import services as keys
from keys.supply.queries.upstreams import Session, Upstream

_TRIES_MAX = 8
# Longer bodies are counted in a thread, so that others are served meanwhile.
_COUNTED_AT_ONCE_BYTES_MAX = 8_000


@dataclass(slots=True)
class Admitted:
    """What a call may do. Without a dialect only `session` is set.

    `input_max`: the bound of its input tokens; `output_max`: what each answer may have at most.
    """

    session: Session
    upstream: Upstream | None = None
    asked: Asked | None = None
    held: keys.Held | None = None
    input_max: int = 0
    output_max: int = 0


async def admit(office: Office, request: Request, dialect: Dialect | None, body: bytes) -> Admitted:
    """Know the session, bound the call, hold its bound: as much as its client asked for, or as much
    as is left, unless that is less than a call is worth.

    Refusals: NotAuthenticated, Unreadable, CannotBeBounded, WrongWireFormat, AlreadyCalled,
    KeyUnusable, and those of `keys.hold_many`.
    """
    session = await office.sessions.of(request.token)
    if dialect is None:
        return Admitted(session)
    asked = dialect.parse(body)
    name = _Name(request, body)
    for _ in range(_TRIES_MAX):
        upstream = await office.sessions.upstream(session.api_key)
        admitted = Admitted(session, upstream, asked)
        try:
            await _check_speaks(office, admitted, dialect)
            await _hold(office, admitted, request, dialect, name)
            if await _is_as_expected(office, admitted):
                return admitted
        except keys_refusals.KeyChanged:
            session = await office.sessions.read(session.session_id)
        except keys_refusals.KeyCannotServe as refusal:
            session = await failover.away(office, session, refusal)
    raise keys_refusals.RateLimited("The session's key changed again and again. Ask again.")


Admit = Callable[[Office, Request, Dialect | None, bytes], Awaitable[Admitted]]


class _Name:
    """The idempotency key of the charge: the client's, or the request's own.

    A call that was made before and cost nothing (its hold was given back) may be made again.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        said = request.idempotency_key
        self.digest = said and hashlib.sha256(request.path.encode() + b"\0" + body).digest()
        self.size = len(body)
        self._said, self._try = said or request.id, 1

    @property
    def key(self) -> str:
        return self._said if self._try == 1 else f"{self._said} ({self._try})"

    def next(self, before: keys_refusals.HeldBefore) -> str:
        """Go on under another name. Refusals: AlreadyCalled, IdempotencyMismatch."""
        if not before.facts["same"]:
            raise keys_refusals.IdempotencyMismatch(
                "This Idempotency-Key was used for another request.",
                charge_id=before.facts["charge_id"],
            )
        # A name of our own was only used when the database went away in the middle of its hold.
        if self.digest and before.facts["charge_status"] != "released":
            raise AlreadyCalled(
                "This call was made before; it is neither made nor charged again.",
                charge_id=before.facts["charge_id"],
                charge_status=before.facts["charge_status"],
            )
        self._try += 1
        return self.key


async def _hold(
    office: Office, admitted: Admitted, request: Request, dialect: Dialect, name: _Name
) -> None:
    asked, upstream, session = admitted.asked, admitted.upstream, admitted.session
    if dialect.spends:
        admitted.input_max = await _input_bound(dialect, asked, upstream.model, name.size)
    wanted, least = _output(asked) if dialect.spends else (0, 0)
    hold = keys.Wanted(
        session.allocation_id,
        admitted.input_max + least * asked.choices,
        admitted.input_max + wanted * asked.choices,
        name.key,
        api_key=session.api_key,
        request_digest=name.digest,
        model=upstream.model,
        route=request.path,
        wire_format=dialect.wire_format,
        fresh=name.digest is None,
    )
    while admitted.held is None:
        try:
            admitted.held = await office.holds.do(hold)
        except keys_refusals.HeldBefore as before:
            hold = hold._replace(idempotency_key=name.next(before))
    admitted.output_max = (admitted.held.tokens - admitted.input_max) // asked.choices


def _output(asked: Asked) -> tuple[int, int]:
    """Tokens of one answer: as many as are wanted, and the fewest worth asking for."""
    wanted = asked.output_tokens_max
    if wanted is None:
        wanted = max(settings.OUTPUT_TOKENS_DEFAULT, asked.output_tokens_least)
    return wanted, min(wanted, max(asked.output_tokens_least, settings.OUTPUT_TOKENS_MIN))


async def _input_bound(dialect: Dialect, asked: Asked, model: str, size: int) -> int:
    if size <= _COUNTED_AT_ONCE_BYTES_MAX:
        return dialect.input_bound(asked, model=model)
    return await asyncio.to_thread(dialect.input_bound, asked, model=model)


async def _check_speaks(office: Office, admitted: Admitted, dialect: Dialect) -> None:
    upstream, session = admitted.upstream, admitted.session
    if dialect.wire_format in upstream.wire_formats:
        return
    current = await office.sessions.read(session.session_id)
    if current.api_key != session.api_key:
        raise keys_refusals.KeyChanged("The session is on another key by now.")
    raise WrongWireFormat(
        f"The session's key, {upstream.slug}, is with {upstream.provider}, which does not speak "
        f"this wire format. Lend a budget with wire_format={dialect.wire_format}.",
        key_id=upstream.slug,
        provider=upstream.provider,
    )


async def _is_as_expected(office: Office, admitted: Admitted) -> bool:
    """Whether the key's row is the one the call was bounded by. If only its address or secret
    changed, the new ones are taken; else the hold is given back."""
    held, before = admitted.held, admitted.upstream
    if held.key_version == before.version:
        return True
    admitted.upstream = None
    try:
        upstream = await office.sessions.upstream(before.slug, not_version=before.version)
        if (upstream.model, upstream.wire_formats) == (before.model, before.wire_formats):
            admitted.upstream = upstream
    finally:
        # Also when the key cannot be read: nobody else knows of this hold.
        if admitted.upstream is None:
            await asyncio.shield(office.give_back(held))
    return admitted.upstream is not None
