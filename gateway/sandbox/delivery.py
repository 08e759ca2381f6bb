"""Send a reply to the client, whole or as a stream, with the faults of its directive."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import cast

import msgspec

from gateway.sandbox.call_log import LoggedCall
from gateway.sandbox.connection import Connection, Headers
from gateway.sandbox.directive import Directive
from gateway.sandbox.reply import Reply
from gateway.sandbox.routes import Event, Route, StreamingRoute

_encode = msgspec.json.Encoder(decimal_format="number").encode
_JSON = (b"content-type", b"application/json")
_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_EVENTS_A_TURN = 50
_NOT_JSON = b"<html><body>This is not JSON.</body></html>"


async def answer(
    connection: Connection, *, call: LoggedCall, route: Route, reply: Reply, headers: Headers
) -> None:
    """Send the reply and record in `call` how much of it is billed."""
    if reply.directive.stops == "before_headers":
        await _stall(connection, reply.directive)
    if reply.request.stream:
        # Only routes that stream read `stream` of a request.
        await _send_stream(connection, call, cast(StreamingRoute, route), reply, headers)
    else:
        await _send_whole(connection, call, route, reply, headers)


async def send_json(
    connection: Connection, body: bytes, *, status: int = 200, headers: Headers
) -> None:
    """Send a whole answer as JSON."""
    await connection.start(status, [_JSON, _content_length(body), *headers])
    await connection.end(body)


async def _send_whole(
    connection: Connection, call: LoggedCall, route: Route, reply: Reply, headers: Headers
) -> None:
    body = _NOT_JSON if reply.directive.malformed else _encode(route.whole(reply))
    if route.BILLS:
        call.bill = reply.bill
    call.status = 200
    if not reply.directive.stops:
        await send_json(connection, body, headers=headers)
        call.finished = True
        return
    await connection.start(200, [_JSON, _content_length(body), *headers])
    if reply.directive.stops != "after_headers":
        await connection.part(body[: len(body) // 2])
    await _stall(connection, reply.directive)


async def _send_stream(
    connection: Connection, call: LoggedCall, route: StreamingRoute, reply: Reply, headers: Headers
) -> None:
    events = [event async for event in _in_turns(route.events(reply))]
    pieces = _apply_faults(events, route, reply)
    call.bill = reply.bill_after(0)
    await connection.start(200, [*_STREAM, *headers])
    call.status = 200
    is_whole = False
    for number, event in enumerate(pieces):
        if number and reply.directive.slow_ms:
            await connection.pause(reply.directive.slow_ms / 1000)
        # The last event ends the answer, so a client that has read it finds the call in the log.
        last = number == len(pieces) - 1 and not reply.directive.stops
        await (connection.end if last else connection.part)(_encode_event(event))
        if isinstance(event, Event):
            # An answer of reasoning, audio or images alone has no words: its usage bills it.
            is_whole = is_whole or event.final_usage
            call.bill = reply.bill if is_whole else reply.bill_after(event.produced)
        if not last:
            # Lets other calls run, and notices that the client went away.
            await asyncio.sleep(0)
    if reply.directive.stops:
        await _stall(connection, reply.directive)
    call.finished = not reply.directive.error_event


async def _in_turns(events: Iterable[Event]) -> AsyncIterator[Event]:
    """The same events; now and then other calls run, since a long answer takes time to make."""
    for number, event in enumerate(events):
        if number % _EVENTS_A_TURN == 0:
            await asyncio.sleep(0)
        yield event


def _apply_faults(
    events: Sequence[Event], route: StreamingRoute, reply: Reply
) -> Sequence[Event | bytes]:
    """The events with the faults of the directive: fewer of them, or broken ones."""
    middle = len(events) // 2
    if reply.directive.stops:
        return events[: _stop_position(events, reply.directive)]
    if reply.directive.error_event:
        failure = route.failure(reply, middle)
        return [*events[:middle], failure._replace(produced=events[middle - 1].produced)]
    if reply.directive.malformed:
        return [*events[:middle], _encode_half(events[middle]), *events[middle:]]
    return events


async def _stall(connection: Connection, directive: Directive) -> None:
    """Close the connection if the directive cuts it; otherwise send nothing more."""
    if directive.cut:
        await connection.cut()
    await connection.wait_until_gone()


def _stop_position(events: Sequence[Event], directive: Directive) -> int:
    """How many events are sent before the stream stops."""
    last = len(events) - 1
    usage = next((number for number, event in enumerate(events) if event.final_usage), last)
    stops = {"after_headers": 0, "mid": len(events) // 2, "before_usage": usage}
    return stops.get(directive.stops, last)


def _encode_event(event: Event | bytes) -> bytes:
    if isinstance(event, bytes):
        return event
    data = event.data.encode() if isinstance(event.data, str) else _encode(event.data)
    name = b"event: " + event.name.encode() + b"\n" if event.name else b""
    return name + b"data: " + data + b"\n\n"


def _encode_half(event: Event) -> bytes:
    """The event with half of its data, which is not valid JSON."""
    whole = _encode_event(event)
    return whole[: len(whole) // 2] + b"\n\n"


def _content_length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
