"""Hand a stream on as it comes, metered, its end only when it is settled."""

import asyncio

from aiohttp import ClientResponse

from gateway import error_responses, upstream
from gateway.admission import Admitted
from gateway.dialects import Dialect, Splitter, TooLong
from gateway.recording import Keeping
from gateway.requests import Request
from gateway.settlement import Payment


async def relay(
    request: Request,
    dialect: Dialect,
    admitted: Admitted,
    payment: Payment,
    answer: ClientResponse,
    exchange: Keeping,
) -> None:
    """Pass the provider's events to the client until either end closes.

    The event that ends the answer is held back until the charge is settled: whoever has seen it
    finds it in the books. A stream that breaks off ends with an error in the dialect's own shape.
    """
    payment.meter = dialect.meter(admitted.asked)
    headers = [
        *upstream.passed_back(answer, admitted.upstream),
        (b"cache-control", b"no-cache"),
        *error_responses.told(
            request_id=request.id, charge_id=admitted.held.pk, key_id=admitted.upstream.slug
        ),
        (b"x-butler-tokens-left", str(admitted.held.left).encode()),
        (b"x-butler-cost-max", format(admitted.held.cost, "f").encode()),
    ]
    await request.start(answer.status, headers)
    watch = _watch(request, answer)
    try:
        whole = await _pass_on(request, admitted, payment, answer, exchange)
    except (*upstream.BROKEN_OFF, TooLong):
        whole = False
    finally:
        watch.cancel()
    exchange.complete = payment.whole = whole
    await payment.pay()
    if not whole:
        await request.write(error_responses.broken_stream(dialect, request.id))
    await request.write(b"", more=False)


async def _pass_on(
    request: Request,
    admitted: Admitted,
    payment: Payment,
    answer: ClientResponse,
    exchange: Keeping,
) -> bool:
    """Whether the stream came to its end."""
    events, meter, key = Splitter(), payment.meter, admitted.upstream
    async for chunk in answer.content.iter_any():
        piece = b"".join(
            [meter.feed(upstream.scrubbed(event, key)) for event in events.feed(chunk)]
        )
        if meter.ended:
            await payment.pay()
        if piece:
            exchange.add(piece)
            await request.write(piece)
    rest = events.rest()
    if rest:
        piece = meter.feed(upstream.scrubbed(rest, key))
        exchange.add(piece)
        await request.write(piece)
    # Not every provider sends the closing event; its usage is as good.
    return meter.ended or meter.failed or meter.reported is not None


def _watch(request: Request, answer: ClientResponse) -> asyncio.Task:
    """Close the way to the provider as soon as the client is gone."""
    watch = asyncio.create_task(_gone(request))
    watch.add_done_callback(lambda done: None if done.cancelled() else answer.close())
    return watch


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
