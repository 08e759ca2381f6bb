"""Relay a stream while it is metered; its last event waits for the settlement."""

import asyncio

from aiohttp import ClientResponse

from gateway import error_responses, failover, upstream, whole_answer
from gateway.answer_body import AnswerBody, Lost
from gateway.call import Call
from gateway.dialects import EventTooLong, Splitter, StreamMeter, sse
from gateway.requests import Headers, Request
from gateway.response_headers import call_headers
from gateway.settlement import settle

MEDIA_TYPE = "text/event-stream"


async def relay(call: Call, response: ClientResponse, body: AnswerBody) -> None:
    """Pass the provider's events to the client until either end closes.

    The event that ends the answer is held back until the charge is settled: a client that has seen
    it finds the charge in the books. A stream that breaks ends with an error event of the dialect.
    """
    call.meter = meter = call.dialect.meter(call.parameters)
    headers = [
        *_provider_headers(call, response),
        (b"cache-control", b"no-cache"),
        # nginx, and what is built on it, would send the events when the stream is over.
        (b"x-accel-buffering", b"no"),
        *call_headers(
            request_id=call.request.id,
            charge_id=call.hold.pk,
            key_id=call.upstream.slug,
            model=call.model,
            output_max=call.output_max if call.output_cut else None,
        ),
        (b"x-butler-tokens-left", str(call.hold.left).encode()),
        (b"x-butler-cost-max", format(call.hold.cost, "f").encode()),
    ]
    await call.request.start(response.status, headers)
    watch = _close_when_client_leaves(call.request, response)
    try:
        complete = await _relay_events(call, meter, body)
    except (Lost, EventTooLong):
        complete = False
    finally:
        watch.cancel()
    call.recording.complete = call.complete = complete
    await settle(call)
    if meter.error is not None:
        await failover.report_error_in_answer(call, meter.error, response)
    if not complete:
        await call.request.write(error_responses.stream_error_event(call.dialect, call.request.id))
    await call.request.write(b"", more=False)


def _provider_headers(call: Call, response: ClientResponse) -> Headers:
    """The provider's headers, whose content type is that of a stream even if it named another."""
    headers = upstream.response_headers(response, call.upstream)
    if response.content_type == MEDIA_TYPE:
        return headers
    others = [(name, value) for name, value in headers if name != b"content-type"]
    return [*others, (b"content-type", MEDIA_TYPE.encode())]


async def _relay_events(call: Call, meter: StreamMeter, body: AnswerBody) -> bool:
    """Whether the stream came to its end. Raises Lost, EventTooLong."""
    events, key, recording, write = Splitter(), call.upstream, call.recording, call.request.write
    begun = False
    while chunk := await body.next_chunk():
        piece = b"".join([meter.feed(upstream.scrub(event, key)) for event in events.feed(chunk)])
        if meter.ended:
            await settle(call)
        if piece:
            begun = True
            recording.add(piece)
            await write(piece)
    if rest := upstream.scrub(events.rest(), key):
        if not begun and rest.lstrip().startswith(b"{"):
            # Its content type is wrong: it is not a stream.
            return await _pass_whole_answer(call, meter, rest)
        piece = meter.feed(rest)
        recording.add(piece)
        await write(piece)
    # Not every provider sends a closing event: the final usage is as good, or a finished answer.
    if meter.ended or meter.error is not None or meter.report is not None:
        return True
    return meter.finished and not sse.is_cut_off(rest)


async def _pass_whole_answer(call: Call, meter: StreamMeter, reply: bytes) -> bool:
    call.meter, call.reply = None, reply
    if found := whole_answer.examine(call):
        meter.error = found.error
    call.recording.add(reply)
    await call.request.write(reply)
    return True


def _close_when_client_leaves(request: Request, response: ClientResponse) -> asyncio.Task[None]:
    """Close the connection to the provider as soon as the client is gone."""
    watch = asyncio.create_task(request.wait_for_disconnect())
    watch.add_done_callback(lambda task: None if task.cancelled() else response.close())
    return watch
