"""Relay a stream while it is metered; its last event waits for the settlement."""

import asyncio

from aiohttp import ClientResponse

from gateway import error_responses, upstream
from gateway.call import Call
from gateway.dialects import EventTooLong, Splitter, StreamMeter
from gateway.requests import Request
from gateway.response_headers import call_headers
from gateway.settlement import settle


async def relay(call: Call, response: ClientResponse) -> None:
    """Pass the provider's events to the client until either end closes.

    The event that ends the answer is held back until the charge is settled: a client that has seen
    it finds the charge in the books. A stream that breaks ends with an error event of the dialect.
    """
    call.meter = meter = call.dialect.meter(call.parameters)
    headers = [
        *upstream.response_headers(response, call.upstream),
        (b"cache-control", b"no-cache"),
        *call_headers(
            request_id=call.request.id, charge_id=call.hold.pk, key_id=call.upstream.slug
        ),
        (b"x-butler-tokens-left", str(call.hold.left).encode()),
        (b"x-butler-cost-max", format(call.hold.cost, "f").encode()),
    ]
    await call.request.start(response.status, headers)
    watch = _close_when_client_leaves(call.request, response)
    try:
        complete = await _relay_events(call, meter, response)
    except (*upstream.CONNECTION_ERRORS, EventTooLong):
        complete = False
    finally:
        watch.cancel()
    call.recording.complete = call.complete = complete
    await settle(call)
    if not complete:
        await call.request.write(error_responses.stream_error_event(call.dialect, call.request.id))
    await call.request.write(b"", more=False)


async def _relay_events(call: Call, meter: StreamMeter, response: ClientResponse) -> bool:
    """Whether the stream came to its end."""
    events, key, recording, write = Splitter(), call.upstream, call.recording, call.request.write
    async for chunk in response.content.iter_any():
        piece = b"".join([meter.feed(upstream.scrub(event, key)) for event in events.feed(chunk)])
        if meter.ended:
            await settle(call)
        if piece:
            recording.add(piece)
            await write(piece)
    if rest := events.rest():
        piece = meter.feed(upstream.scrub(rest, key))
        recording.add(piece)
        await write(piece)
    # Not every provider sends a closing event; the final usage is as good.
    return meter.ended or meter.failed or meter.report is not None


def _close_when_client_leaves(request: Request, response: ClientResponse) -> asyncio.Task[None]:
    """Close the connection to the provider as soon as the client is gone."""
    watch = asyncio.create_task(_client_disconnect(request))
    watch.add_done_callback(lambda task: None if task.cancelled() else response.close())
    return watch


async def _client_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
