"""Relay a stream while it is metered; its last event waits for the settlement."""

import asyncio
from contextlib import suppress
from typing import Any

from aiohttp import ClientResponse
from django.conf import settings

from gateway import error_responses, upstream, whole_answer
from gateway.answer_body import Lost
from gateway.call import Call
from gateway.dialects import EventTooLong, Splitter, sse
from gateway.failover import Failover
from gateway.requests import Headers
from gateway.response_headers import call_headers
from gateway.secret_scrubbing import CutSecrets
from gateway.settlement import settle

MEDIA_TYPE = "text/event-stream"
# How long the events before an answer are kept back, since an error may follow them.
_OPENING_SECONDS_MAX = 0.5


class MeteredStream:
    """The events of one answer, metered as they come: `open`, then `next_piece` to the end."""

    def __init__(self, call: Call) -> None:
        self.is_complete = False
        self._call = call
        self._body = call.answer_body
        self._meter = call.meter = call.dialect.meter(call.parameters)
        self._events = Splitter()
        self._cut_secrets = CutSecrets(call.upstream.secret)
        self._has_events = False
        self._kept_back: list[bytes] = []
        self._is_over = self._is_lost = False

    @property
    def error(self) -> Any:
        """What the provider sent instead of the rest of the answer; None if nothing did."""
        return self._meter.error

    async def open(self) -> None:
        """Read up to the first event of an answer, or to an error instead of one.

        What comes before is kept back, so that the call can still be made on another key. After a
        while the client gets it all the same.
        """
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_OPENING_SECONDS_MAX):
                    while not self._is_open:
                        self._kept_back.append(await self._read_piece())
        except (Lost, EventTooLong):
            self._is_lost = True

    @property
    def _is_open(self) -> bool:
        meter = self._meter
        return self._is_over or meter.begun or meter.ended or meter.error is not None

    async def next_piece(self) -> bytes | None:
        """What the client gets next, perhaps nothing yet; None at the end.

        Raises Lost, EventTooLong.
        """
        if self._kept_back:
            kept_back, self._kept_back = self._kept_back, []
            return b"".join(kept_back)
        if self._is_lost:
            raise Lost
        return None if self._is_over else await self._read_piece()

    async def _read_piece(self) -> bytes:
        call = self._call
        if self._body.has_more_waiting:
            await call.runtime.agent_calls.turn(call.session.agent)
        if chunk := await self._body.next_chunk():
            events, key = self._events.feed(chunk), call.upstream
            self._has_events = self._has_events or bool(events)
            return b"".join([self._pass_on(upstream.scrub(event, key)) for event in events])
        self._is_over = True
        end = self._end(upstream.scrub(self._events.rest(), call.upstream))
        return self._cut_secrets.rest() + end

    def _pass_on(self, event: bytes) -> bytes:
        piece = self._cut_secrets.pass_on(self._meter.feed(event), self._meter.text)
        return piece + self._cut_secrets.rest() if self._meter.ended else piece

    def _end(self, rest: bytes) -> bytes:
        """The end of the stream, after which `rest` came."""
        meter = self._meter
        if not self._has_events and rest.lstrip().startswith(b"{"):
            # Its content type is wrong: it is not a stream.
            self._read_whole_answer(rest)
            return rest
        piece = meter.feed(rest) if rest else b""
        # Not every provider sends a closing event: the final usage or a finished answer will do.
        is_told = meter.ended or meter.error is not None or meter.report is not None
        self.is_complete = is_told or (meter.finished and not sse.is_cut_off(rest))
        return piece

    def _read_whole_answer(self, reply: bytes) -> None:
        self.is_complete = True
        self._call.meter, self._call.reply = None, reply
        if found := whole_answer.examine(self._call):
            self._meter.error = found.error


async def relay(
    call: Call, response: ClientResponse, stream: MeteredStream, failover: Failover
) -> None:
    """Pass the provider's events to the client until either end closes.

    The event that ends the answer is held back until the charge is settled: a client that has seen
    it finds the charge in the books. A stream that breaks ends with an error event of the dialect.
    """
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
            fallback=call.choice.fallback_header,
            output_max=call.output_max if call.output_cut else None,
        ),
        (b"x-butler-tokens-left", str(call.hold.left).encode()),
        (b"x-butler-cost-max", format(call.hold.cost, "f").encode()),
    ]
    await call.request.start(response.status, headers)
    watch = asyncio.create_task(_close_when_client_leaves(call, response))
    try:
        await _relay_pieces(call, stream)
    except (Lost, EventTooLong):
        stream.is_complete = False
    finally:
        watch.cancel()
    call.recording.complete = call.complete = stream.is_complete
    await settle(call)
    if stream.error is not None:
        await failover.blame_for_late_error(call, stream.error, response)
    if not stream.is_complete:
        await call.request.write(error_responses.stream_error_event(call.dialect, call.request.id))
    await call.request.write(b"", more=False)


async def _relay_pieces(call: Call, stream: MeteredStream) -> None:
    """Raises Lost, EventTooLong."""
    while (piece := await stream.next_piece()) is not None:
        if call.meter and call.meter.ended:
            await settle(call)
        if piece:
            call.recording.add(piece)
            await call.request.write(piece)


def _provider_headers(call: Call, response: ClientResponse) -> Headers:
    """The provider's headers, whose content type is that of a stream even if it named another."""
    headers = upstream.response_headers(response, call.upstream)
    if response.content_type == MEDIA_TYPE:
        return headers
    others = [(name, value) for name, value in headers if name != b"content-type"]
    return [*others, (b"content-type", MEDIA_TYPE.encode())]


async def _close_when_client_leaves(call: Call, response: ClientResponse) -> None:
    """Close the connection to the provider as soon as the client is gone.

    If the model reasons unseen, what came does not say what is billed. Then the stream is first
    read on, for its usage, until it ends or the time for that is over.
    """
    await call.request.wait_for_disconnect()
    if call.facts.reasons_unseen:
        await asyncio.sleep(settings.GATEWAY_READ_ON_SECONDS)
        call.cut_unseen = True
    response.close()
