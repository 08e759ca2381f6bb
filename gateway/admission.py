"""Admission, the only way in: identify the session, and hold the most that the call can cost."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from django.conf import settings

from gateway import failover, outbound_guard, output_limits, search_bounds
from gateway.call import Call
from gateway.dialects import CallParameters, Dialect, known_fields
from gateway.dialects.json_body import value_of
from gateway.dialects.service_tiers import STANDARD_OR_CHEAPER
from gateway.input_bound import InputBound
from gateway.model_choice import choose_model
from gateway.model_fallback import NO_KEY, fall_back
from gateway.refusals import AlreadyCalled, CannotBeBounded, InputNotTaken, WrongWireFormat
from gateway.requests import Request
from gateway.runtime import Runtime
from gateway.stored_responses import check_previous_response
from keys import refusals as keys_refusals
from keys import services as keys
from keys.models import Charge
from keys.supply.queries.upstreams import Session, Upstream

_TRIES_MAX = 8

Identify = Callable[[Runtime, Request], Awaitable[Session]]
Hold = Callable[[keys.HoldRequest], Awaitable[keys.HoldResult]]


class Admit(Protocol):
    """Admission as a route has it: see `admit`."""

    def __call__(
        self,
        runtime: Runtime,
        request: Request,
        dialect: Dialect,
        body: bytes,
        *,
        avoid: frozenset[str] = ...,
    ) -> Awaitable[Call]: ...


async def identify(runtime: Runtime, request: Request) -> Session:
    """The session of the request's token. Refusals: InvalidToken, SlotEmpty."""
    return await runtime.sessions.of(request.token)


async def admit(
    runtime: Runtime,
    request: Request,
    dialect: Dialect,
    body: bytes,
    *,
    avoid: frozenset[str] = frozenset(),
) -> Call:
    """Identify the session, bound the call and hold that bound: all that the client asked for. If
    other calls of the session are in flight, it waits until that fits beside them. Only if nothing
    else is held, it takes what is left, unless that is too little to be worth a call.

    `avoid`: keys that were refused for this request, and that it must not be the guest of.

    Refusals: InvalidToken, SlotEmpty, InvalidRequest, CannotBeBounded, WrongWireFormat,
    InputNotTaken, AlreadyCalled, KeyUnusable, and those of `outbound_guard.check` and
    `keys.hold_many`.
    """
    session = await identify(runtime, request)
    parameters, charge_key = await runtime.large_bodies.run_if_large(
        session.agent, request, _read, request, dialect, body
    )
    await outbound_guard.check(runtime, request, session, body)
    parameters.model = request.model_in_path or parameters.model
    waits_until = asyncio.get_running_loop().time() + settings.GATEWAY_HOLD_WAIT_SECONDS
    for _ in range(_TRIES_MAX):
        choice = await choose_model(
            runtime,
            session,
            dialect,
            parameters.model,
            avoid=avoid.union(request.unusable_keys),
            unfit=frozenset(request.unfit_models),
        )
        call = Call(runtime, request, dialect, session, choice.upstream, parameters, choice)
        try:
            if await _admit(call, charge_key, waits_until):
                return call
        except NO_KEY as refusal:
            await fall_back(call, refusal, refused=avoid)
        except InputNotTaken as refusal:
            if not choice.fallback:
                raise InputNotTaken(medium=refusal.medium, model=call.model) from None
            request.unfit_models.add(choice.served.name)
        session = call.session
    raise keys_refusals.RateLimited(
        "The API key of the session changed several times during this request. Please retry."
    )


def _read(request: Request, dialect: Dialect, body: bytes) -> tuple[CallParameters, "_ChargeKey"]:
    return dialect.parse(body), _ChargeKey(request, body)


async def _admit(call: Call, charge_key: "_ChargeKey", waits_until: float) -> bool:
    """Whether the call is held. False: the session or its key changed, so the choice may be
    another."""
    sessions, session = call.runtime.sessions, call.session
    try:
        await _check_wire_format(call)
        known_fields.refuse_unknown(
            call.parameters.fields,
            route=call.dialect.path,
            provider=call.upstream.provider,
            passed=call.upstream.passed_fields,
        )
        search_bounds.check(call)
        await check_previous_response(call)
        await _hold(call, charge_key, waits_until)
        if await _confirm_upstream(call):
            call.runtime.running_charges.add(call.hold.pk)
            return True
    except (CannotBeBounded, InputNotTaken):
        # Only a hold would notice that the catalogue says something else by now.
        upstream = call.upstream
        now = await sessions.upstream(upstream.slug, not_version=upstream.version)
        if now.version == upstream.version:
            raise
    except keys_refusals.KeyChanged:
        call.session = await sessions.read(session.session_id)
    except (keys_refusals.KeyCannotServe, keys_refusals.KeyFrozen) as refusal:
        if call.choice.is_guest(session):
            sessions.forget_guests()
        else:
            call.session = await failover.move_session(
                call.runtime, session, refusal, actor=call.request.actor
            )
    return False


class _ChargeKey:
    """The idempotency key of the charge: the client's, or the id of the request.

    A call that was made before and cost nothing (its hold was released) may be made again, under
    the same key with a number.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        from_client = request.idempotency_key
        self.digest: bytes | None = None
        if from_client:
            self.digest = hashlib.sha256(request.path.encode() + b"\0" + body).digest()
        self._base, self._attempt = from_client or request.id, 1

    @property
    def value(self) -> str:
        return self._base if self._attempt == 1 else f"{self._base} ({self._attempt})"

    def next(self, before: keys_refusals.HeldBefore) -> str:
        """The key for another attempt. Refusals: AlreadyCalled, IdempotencyMismatch."""
        if not before.same:
            raise keys_refusals.IdempotencyMismatch(
                charge_id=before.charge_id,
            )
        # A key of our own was only used when the database went away in the middle of its hold.
        if self.digest and before.charge_status != Charge.Status.RELEASED:
            raise AlreadyCalled(
                "This call was made before; it is not made or charged again.",
                charge_id=before.charge_id,
                charge_status=before.charge_status,
            )
        self._attempt += 1
        return self.value


async def _hold(call: Call, charge_key: _ChargeKey, waits_until: float) -> None:
    spends, bound, results = call.dialect.spends, InputBound(call), 0
    if spends:
        await bound.begin()
        results = search_bounds.results_max(call)
        if results:
            bound.widen(results)
    request = _hold_request(call, charge_key)
    while True:
        try:
            call.hold = await _set_aside(call, request, bound, waits_until)
            break
        except keys_refusals.HeldBefore as before:
            request = request._replace(idempotency_key=charge_key.next(before))
        except keys_refusals.AllocationExhausted as refusal:
            refusal.detail = f"{refusal.detail} {search_bounds.advice(call, results)}".rstrip()
            raise
    if spends:
        call.output_cut = call.hold.tokens < output_limits.tokens_to_hold(call).most
        call.output_max = (call.hold.tokens - call.input_max) // call.parameters.choices


def _hold_request(call: Call, charge_key: _ChargeKey) -> keys.HoldRequest:
    """The hold of a call, without its tokens, at the price of its model."""
    request = keys.HoldRequest(
        call.session.allocation_id,
        0,
        0,
        charge_key.value,
        api_key=call.upstream.slug,
        request_digest=charge_key.digest,
        model=call.model,
        asked_model=call.choice.asked,
        route=call.request.path,
        wire_format=call.dialect.wire_format,
        fresh=charge_key.digest is None,
        patient=True,
    )
    served = call.choice.served
    # The allocation keeps the price of the model that it was lent for.
    if not _is_lent_model(call):
        request = request._replace(price_id=served.price_id, token_cost=served.token_cost_max)
    if call.dialect.spends and (call_cost := search_bounds.cost_max(call)):
        request = request._replace(call_cost=call_cost)
    if served.price_id in (request.price_id, call.session.price_id) and _is_plain(call):
        request = request._replace(token_cost=served.token_cost_max_plain)
    return request


async def _set_aside(
    call: Call, request: keys.HoldRequest, bound: InputBound, waits_until: float
) -> keys.HoldResult:
    runtime, is_guest = call.runtime, call.choice.is_guest(call.session)
    hold = runtime.hold_as_guest if is_guest else runtime.holds.do
    if not call.dialect.spends:
        return await hold(request)
    return await runtime.hold_queue.hold(
        partial(_hold_bounded, call, request, bound, hold),
        allocation_id=request.allocation_id,
        least=output_limits.tokens_to_hold(call).least,
        client=call.request,
        until=waits_until,
    )


async def _hold_bounded(
    call: Call, request: keys.HoldRequest, bound: InputBound, hold: Hold
) -> keys.HoldResult:
    """Hold with the bound of the input so far, and with a tighter one if that does not fit."""
    for least, most in output_limits.learned_holds(call):
        with suppress(keys_refusals.NoBudget, keys_refusals.KeyFull):
            return await hold(request._replace(least=least, most=most))
    while bound.can_tighten:
        least, most = output_limits.tokens_to_hold(
            call, output_least=settings.GATEWAY_COUNT_OUTPUT_TOKENS
        )
        try:
            return await hold(request._replace(least=least, most=most))
        except keys_refusals.BudgetInFlight as refusal:
            if not (_could_fit(call, most, refusal) and await bound.tighten()):
                raise
        except keys_refusals.AllocationExhausted as refusal:
            least = output_limits.tokens_to_hold(call).least
            if not (_could_fit(call, least, refusal) and await bound.tighten()):
                break
    least, most = output_limits.tokens_to_hold(call)
    return await hold(request._replace(least=least, most=most))


def _could_fit(call: Call, tokens: int, refusal: keys_refusals.NoBudget) -> bool:
    """Whether `tokens`, of which the bound of the input is a part, may fit with a tighter bound."""
    return tokens - call.input_max < refusal.left


def _is_plain(call: Call) -> bool:
    """Whether the client asked for a service tier that costs no more than the standard one.

    Otherwise the provider's account decides, which may be set to the dearest.
    """
    return value_of(call.parameters.fields, "service_tier") in STANDARD_OR_CHEAPER


def _is_lent_model(call: Call) -> bool:
    """Whether the call is for the model whose price the allocation has."""
    session, choice = call.session, call.choice
    if choice.is_guest(session):
        return False
    # A session whose payers do not allow the key's own model was lent for another one.
    is_own = choice.served.name == call.upstream.model == session.price_model
    return (is_own and not session.named_models) or choice.served.price_id == session.price_id


async def _check_wire_format(call: Call) -> None:
    upstream, session, wire_format = call.upstream, call.session, call.dialect.wire_format
    if wire_format in upstream.wire_formats:
        return
    current = await call.runtime.sessions.read(session.session_id)
    if current.api_key != session.api_key:
        raise keys_refusals.KeyChanged()
    raise WrongWireFormat(
        f"The session's API key {upstream.slug} belongs to {upstream.provider}, which does not "
        f"support this wire format. Request an allocation with wire_format={wire_format}.",
        key_id=upstream.slug,
        provider=upstream.provider,
    )


def _conditions(upstream: Upstream) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of a key decides whether it can take a call, besides its models."""
    return upstream.wire_formats, upstream.passed_fields


async def _confirm_upstream(call: Call) -> bool:
    """Whether the key's row is the one the call was bounded by. If only its address or secret
    changed, the new ones are taken; otherwise the hold is released."""
    hold, before = call.hold, call.upstream
    if hold.key_version == before.version:
        return True
    is_same_key = False
    try:
        upstream = await call.runtime.sessions.upstream(before.slug, not_version=before.version)
        served = upstream.serving(call.model)
        if (served, *_conditions(upstream)) == (call.choice.served, *_conditions(before)):
            call.upstream, is_same_key = upstream, True
    finally:
        # Also when the key cannot be read: no other code knows of this hold.
        if not is_same_key:
            await asyncio.shield(call.runtime.release(hold))
    return is_same_key
