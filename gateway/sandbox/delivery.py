"""Bring a reply to the client, whole or as a stream, with the faults its directive wants."""

import asyncio

import msgspec

from gateway.sandbox.call_log import Call
from gateway.sandbox.connection import Connection, Headers
from gateway.sandbox.directive import Directive
from gateway.sandbox.reply import Reply
from gateway.sandbox.routes import Event, Route

_encode = msgspec.json.Encoder(decimal_format="number").encode
_JSON = (b"content-type", b"application/json")
_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_NOT_JSON = b"<html><body>This is not JSON.</body></html>"


async def answer(
    connection: Connection, *, call: Call, route: Route, reply: Reply, headers: Headers
) -> None:
    """Send the reply and say in `call` what of it is billed."""
    if reply.directive.stops == "before_headers":
        await _stop(connection, reply.directive)
    deliver = _stream if reply.asked.stream else _whole
    await deliver(connection, call, route, reply, headers)


async def send_json(
    connection: Connection, body: bytes, *, status: int = 200, headers: Headers
) -> None:
    """A whole answer."""
    await connection.start(status, [_JSON, _length(body), *headers])
    await connection.end(body)


async def _whole(
    connection: Connection, call: Call, route: Route, reply: Reply, headers: Headers
) -> None:
    body = _NOT_JSON if reply.directive.malformed else _encode(route.whole(reply))
    if route.BILLS:
        call.bill = reply.bill
    call.status = 200
    if not reply.directive.stops:
        await send_json(connection, body, headers=headers)
        call.finished = True
        return
    await connection.start(200, [_JSON, _length(body), *headers])
    if reply.directive.stops != "after_headers":
        await connection.part(body[: len(body) // 2])
    await _stop(connection, reply.directive)


async def _stream(
    connection: Connection, call: Call, route: Route, reply: Reply, headers: Headers
) -> None:
    events = list(route.events(reply))
    sent = _in_order(events, route, reply)
    call.bill = reply.billed_after(0)
    await connection.start(200, [*_STREAM, *headers])
    call.status = 200
    for number, event in enumerate(sent):
        if number and reply.directive.slow_ms:
            await connection.pause(reply.directive.slow_ms / 1000)
        # With its last event the answer is over: nobody finds the call unfinished after reading it.
        last = number == len(sent) - 1 and not reply.directive.stops
        await (connection.end if last else connection.part)(_bytes(event))
        if isinstance(event, Event):
            call.bill = reply.billed_after(event.produced)
        if not last:
            # Lets others in, and lets us hear that the client went away.
            await asyncio.sleep(0)
    if reply.directive.stops:
        await _stop(connection, reply.directive)
    call.finished = not reply.directive.error_event


def _in_order(events: list[Event], route: Route, reply: Reply) -> list[Event | bytes]:
    """What is sent: the events, or as many as the faults leave of them."""
    middle = len(events) // 2
    if reply.directive.stops:
        return events[: _stops_at(events, reply.directive)]
    if reply.directive.error_event:
        failure = route.failure(reply, middle)
        return [*events[:middle], failure._replace(produced=events[middle - 1].produced)]
    if reply.directive.malformed:
        return [*events[:middle], _broken(events[middle]), *events[middle:]]
    return events


async def _stop(connection: Connection, directive: Directive) -> None:
    """Never go on."""
    if directive.cut:
        await connection.cut()
    await connection.wait_until_gone()


def _stops_at(events: list[Event], directive: Directive) -> int:
    """Before which event nothing more is sent."""
    last = len(events) - 1
    usage = next((number for number, event in enumerate(events) if event.final_usage), last)
    stops = {"after_headers": 0, "mid": len(events) // 2, "before_usage": usage}
    return stops.get(directive.stops, last)


def _bytes(event: Event | bytes) -> bytes:
    if isinstance(event, bytes):
        return event
    data = event.data.encode() if isinstance(event.data, str) else _encode(event.data)
    name = b"event: " + event.name.encode() + b"\n" if event.name else b""
    return name + b"data: " + data + b"\n\n"


def _broken(event: Event) -> bytes:
    """The event with half of its data: no JSON."""
    whole = _bytes(event)
    return whole[: len(whole) // 2] + b"\n\n"


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
