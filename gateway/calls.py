"""One call from its admission to its settlement."""

from django.utils import timezone

from gateway import error_responses, failover, recording, streaming, upstream
from gateway.admission import Admit, Admitted
from gateway.dialects import Dialect
from gateway.queries import kept_answer
from gateway.refusals import AlreadyCalled, AnswerLost, KeyUnusable, ProviderUnreachable
from gateway.requests import Request
from gateway.runtime import Office
from gateway.settlement import Payment
from keys.services import Ended

# How often a call is made anew because its key was refused.
_KEYS_TRIED_MAX = 4
_KEY_REFUSED = (401, 402, 403, 429)


async def forward(office: Office, request: Request, *, dialect: Dialect, admit: Admit) -> None:
    """Admit a call, make it with the provider's key, answer with what came, settle it.

    Where the provider refuses the key, the session moves to another one and the call is made there,
    held anew at that key's price. Refusals: those of `admit`, ProviderUnreachable, AnswerLost.
    """
    body = await request.body()
    for _ in range(_KEYS_TRIED_MAX):
        try:
            admitted = await admit(office, request, dialect, body)
        except AlreadyCalled as before:
            await _answer_again(office, request, before)
            return
        payment = Payment(office, admitted, dialect)
        try:
            if await _make(office, request, dialect, admitted, payment, body):
                return
        finally:
            # Also when nobody waits any more, or Butler itself failed.
            payment.pay()
    raise KeyUnusable(f"{_KEYS_TRIED_MAX} keys were tried; the provider of each refused it.")


async def _make(
    office: Office,
    request: Request,
    dialect: Dialect,
    admitted: Admitted,
    payment: Payment,
    body: bytes,
) -> bool:
    """Make the call; whether it was answered (if not, its key was refused: try another one)."""
    exchange = await recording.begin(office, admitted, body)
    answer = await _send(office, request, dialect, admitted, payment)
    async with answer:
        if answer.status in _KEY_REFUSED:
            payment.made = False
            await payment.pay()
            await failover.refused(
                office,
                admitted.session,
                http_status=answer.status,
                retry_after=answer.headers.get("retry-after"),
            )
            return False
        if not 200 <= answer.status < 300:
            # Whatever is wrong, the provider does not charge for it.
            payment.made = False
        if payment.made and answer.content_type == "text/event-stream":
            await streaming.relay(request, dialect, admitted, payment, answer, exchange)
        else:
            await _answer(request, admitted, payment, answer, exchange)
        exchange.end(office, answer.status, answer.content_type)
    return True


async def _send(office, request, dialect, admitted, payment):
    path = request.path.removeprefix("/v1")
    body = dialect.rewritten(
        admitted.asked, model=admitted.upstream.model, output_tokens_max=admitted.output_max
    )
    payment.made = True
    try:
        return await upstream.send(office.pool, request, admitted.upstream, path=path, body=body)
    except upstream.NothingSent as error:
        payment.made = False
        await payment.pay()
        raise ProviderUnreachable(
            f"{admitted.upstream.provider} could not be reached, so nothing was sent or charged: "
            f"{error}",
            provider=admitted.upstream.provider,
        ) from error
    except upstream.Lost as error:
        raise await _lost(admitted, payment) from error


async def _answer(request, admitted, payment, answer, exchange) -> None:
    """Read the whole answer, settle it, hand it on."""
    try:
        body = await upstream.read(answer, admitted.upstream)
    except upstream.Lost as error:
        raise await _lost(admitted, payment) from error
    payment.answer = body
    ended = await payment.pay()
    exchange.add(body)
    headers = [
        *upstream.passed_back(answer, admitted.upstream),
        *error_responses.told(
            request_id=request.id, charge_id=admitted.held.pk, key_id=admitted.upstream.slug
        ),
        (b"x-butler-cost", format(ended.cost, "f").encode()),
        (b"x-butler-tokens-left", str(ended.left).encode()),
    ]
    await request.answer(answer.status, headers, body)


async def _lost(admitted: Admitted, payment: Payment) -> AnswerLost:
    ended: Ended = await payment.pay()
    return AnswerLost(
        f"{admitted.upstream.provider} did not answer, or broke off. The call may have been made: "
        f"it is charged by the best evidence, {ended.cost:f} USD.",
        charge_id=admitted.held.pk,
        cost=format(ended.cost, "f"),
    )


async def _answer_again(office: Office, request: Request, before: AlreadyCalled) -> None:
    """Answer a repeated call as before, if its answer was kept. Refusal: AlreadyCalled."""
    kept = await office.threads.run(kept_answer, before.facts["charge_id"], now=timezone.now())
    if kept is None:
        raise before
    headers = [
        (b"content-type", kept.media_type.encode()),
        *error_responses.told(request_id=request.id, charge_id=before.facts["charge_id"]),
        (b"x-butler-cost", b"0"),
        (b"idempotent-replay", b"true"),
    ]
    await request.answer(kept.status, headers, kept.body)


async def models(office: Office, request: Request, *, dialect: None, admit: Admit) -> None:
    """What this session may use: the model of the key it is on."""
    admitted = await admit(office, request, dialect, b"")
    key = await office.sessions.upstream(admitted.session.api_key)
    body = error_responses.model_list(key, anthropic=b"anthropic-version" in request.headers)
    await request.answer(200, [(b"content-type", b"application/json")], body)
