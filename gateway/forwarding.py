"""Forward a call: admit it, send it with the provider's key, hand on the answer, settle it."""

from typing import Any

from aiohttp import ClientResponse

from common import database_clock
from common.refusal import Refusal
from gateway import error_responses, recording, streaming, upstream, whole_answer
from gateway.admission import Admit
from gateway.answer_body import AnswerBody, Lost
from gateway.call import Call
from gateway.corrections import Corrections
from gateway.dialects import Dialect
from gateway.failover import Failover
from gateway.model_fallback import NO_KEY, can_fall_back, fall_back
from gateway.provider_errors import ProviderError, read_error
from gateway.queries import kept_answer
from gateway.received_body import received_body
from gateway.refusals import AlreadyCalled, AnswerLost, ProviderUnreachable, UnusableAnswer
from gateway.refused_answers import read_refusal
from gateway.requests import Request
from gateway.response_headers import call_headers
from gateway.runtime import Runtime
from gateway.settlement import settle
from gateway.streaming import MeteredStream
from keys.refusals import Frozen


async def forward(runtime: Runtime, request: Request, *, dialect: Dialect, admit: Admit) -> None:
    """Admit a call, send it with the provider's key, pass the answer to the client and settle it.

    If the provider refuses the key, the session moves to another key and the call is sent there,
    with a new hold at that key's price. If no key can take the session, a fallback of the
    organisation may serve the call. Refusals: those of `admit`, ProviderUnreachable,
    AnswerLost, UnusableAnswer, KeyUnusable, RateLimited, Frozen, and those of `received_body`.
    """
    async with received_body(runtime, request, dialect) as body:
        await _forward(runtime, request, body, dialect=dialect, admit=admit)


async def _forward(
    runtime: Runtime, request: Request, body: bytes, *, dialect: Dialect, admit: Admit
) -> None:
    failover = Failover(runtime, body)
    answered = False
    while not answered:
        try:
            call = await admit(runtime, request, dialect, body, avoid=failover.refused_keys)
        except AlreadyCalled as refusal:
            await _replay(runtime, request, refusal)
            return
        try:
            async with runtime.freezes.watch(call.hold.pk):
                answered = await _make(call, body, failover)
        except Frozen as refusal:
            await _end_frozen(call, refusal)
            return
        except NO_KEY as refusal:
            await failover.blame_key()
            await fall_back(call, refusal, refused=failover.refused_keys)
        except Refusal:
            await failover.blame_key()
            raise
        finally:
            # Also when the client has gone, or Butler itself failed.
            settle(call)


async def _end_frozen(call: Call, refusal: Frozen) -> None:
    """Settle a call that a freeze has ended, and tell its client. Refusal: Frozen, if the answer
    has not begun."""
    call.cut_unseen = call.facts.reasons_unseen
    await settle(call)
    if not call.request.response_started:
        raise refusal
    event = error_responses.refusal_event(call.dialect, call.request.id, refusal)
    await call.request.write(event, more=False)


async def _make(call: Call, body: bytes, failover: Failover) -> bool:
    """Make the call. False: the provider refused its key, and another one can take the call."""
    call.recording = await recording.start(
        call.runtime, call.session, charge_id=call.hold.pk, request=body
    )
    async with await send(call) as response:
        if 300 <= response.status < 400:
            raise await _unusable(call, f"with a redirect (status {response.status})")
        stream, error = await _begin_answer(call, response)
        if error is None:
            await failover.blame_key()
        else:
            is_moved = await failover.try_another(call, error)
            if is_moved or await can_fall_back(call, error, refused=failover.refused_keys):
                return False
        if stream:
            await streaming.relay(call, response, stream, failover)
            call.recording.save(call.runtime, response.status, streaming.MEDIA_TYPE)
        else:
            await reply(call, response)
            call.recording.save(call.runtime, response.status, response.content_type)
    return True


async def _begin_answer(
    call: Call, response: ClientResponse
) -> tuple[MeteredStream | None, ProviderError | None]:
    """Read an answer as far as it shows whether it is one. The stream that it is, if it is one, and
    the error that came instead, also with status 200.

    Refusals: AnswerLost, UnusableAnswer.
    """
    if not 200 <= response.status < 300:
        # Providers do not charge for errors.
        call.billable = False
        return None, await read_refusal(call, response)
    stream = None
    try:
        if await call.answer_body.is_event_stream():
            stream = MeteredStream(call)
            await stream.open()
            error = stream.error
        else:
            error = await _read_whole_answer(call)
    except Lost as lost:
        raise await _answer_lost(call) from lost
    if error is None:
        return stream, None
    return stream, read_error(error, headers=response.headers, now=database_clock.now())


async def _read_whole_answer(call: Call) -> Any:
    """Read a whole answer into the call. The error that came instead; None if none did.

    Raises Lost. Refusal: UnusableAnswer.
    """
    call.reply = await _read_body(call)
    found = whole_answer.examine(call)
    if found and found.error is None:
        raise await _unusable(call, "with something that is not JSON, such as a web page")
    return found and found.error


async def _read_body(call: Call) -> bytes:
    """The whole body of the answer. Raises Lost."""
    call.whole_body = call.answer_body
    return upstream.scrub(await call.answer_body.read(), call.upstream)


async def send(call: Call) -> ClientResponse:
    """Send the call to its provider; returns when the head of the answer is there.

    A request that the provider refuses for a maximum or a field that Butler can mend is sent again.
    Refusals: ProviderUnreachable, AnswerLost.
    """
    call.parameters.refused_fields = call.runtime.lessons.of(
        call.upstream, call.model
    ).refused_fields
    corrections = Corrections(call)
    response = await _send(call)
    while await corrections.correct(response):
        response = await _send(call)
    return response


async def _send(call: Call) -> ClientResponse:
    body = await call.runtime.large_bodies.run_if_large(
        call.session.agent,
        call.request,
        call.dialect.provider_body,
        call.parameters,
        model=call.model,
        facts=call.facts,
        output_tokens_max=call.output_max,
    )
    call.billable = True
    try:
        response = await upstream.send(
            call.runtime.pool, call.request, call.upstream, dialect=call.dialect, body=body
        )
    except upstream.NothingSent as error:
        call.billable = False
        await settle(call)
        provider = call.upstream.provider
        raise ProviderUnreachable(
            f"{provider} could not be reached, so nothing was sent or charged: {error}",
            provider=provider,
        ) from error
    except Lost as error:
        raise await _answer_lost(call) from error
    call.answer_body = AnswerBody(response)
    return response


async def reply(call: Call, response: ClientResponse) -> None:
    """Settle a call, and pass its whole answer to the client. Refusal: AnswerLost."""
    if call.reply is None:
        try:
            call.reply = await _read_body(call)
        except Lost as error:
            raise await _answer_lost(call) from error
    result = await settle(call)
    call.recording.add(call.reply)
    headers = [
        *upstream.response_headers(response, call.upstream),
        *call_headers(
            request_id=call.request.id,
            charge_id=call.hold.pk,
            key_id=call.upstream.slug,
            model=call.model,
            fallback=call.choice.fallback_header,
            output_max=call.output_max if call.output_cut else None,
        ),
        (b"x-butler-cost", format(result.cost, "f").encode()),
        (b"x-butler-tokens-left", str(result.left).encode()),
    ]
    await call.request.respond(_client_status(response.status), headers, call.reply)


def _client_status(status: int) -> int:
    """The provider's status, or 502 if it is none that a server can send with a body."""
    return status if 200 <= status < 600 and status not in (204, 205) else 502


async def _unusable(call: Call, how: str) -> UnusableAnswer:
    call.billable = False
    await settle(call)
    provider, key_id = call.upstream.provider, call.upstream.slug
    return UnusableAnswer(
        f"{provider} answered {how}, so the base URL of API key {key_id} is probably wrong. "
        "Nothing is charged. Please tell the operator of Butler.",
        provider=provider,
        key_id=key_id,
    )


async def _answer_lost(call: Call) -> AnswerLost:
    result = await settle(call)
    return AnswerLost(
        f"{call.upstream.provider} did not answer or broke off in the middle. The call may have "
        f"been made, so it is charged by the best evidence: {result.cost:f} USD.",
        charge_id=call.hold.pk,
        cost=result.cost,
    )


async def _replay(runtime: Runtime, request: Request, refusal: AlreadyCalled) -> None:
    """Repeat the answer to an earlier call, if it was kept. Refusal: AlreadyCalled."""
    charge_id = refusal.charge_id
    answer = await runtime.threads.run(kept_answer, charge_id, now=database_clock.now())
    if answer is None:
        raise refusal
    headers = [
        (b"content-type", answer.media_type.encode()),
        *call_headers(request_id=request.id, charge_id=charge_id),
        (b"x-butler-cost", b"0"),
        (b"idempotent-replay", b"true"),
    ]
    await request.respond(answer.status, headers, answer.body)
