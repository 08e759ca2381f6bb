"""A provider that costs next to nothing: fixed answers over a bare `asyncio.Protocol`.

`python -m bench.gateway.upstream PORT`. It answers after the milliseconds that its path begins
with: `/50/v1/chat/completions`.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import uvloop

_USAGE = {"prompt_tokens": 120, "completion_tokens": 40, "total_tokens": 160}
_WORDS = ["Every", " token", " was", " set", " aside", " first", "."] * 3
# A request that asks for a stream, as different clients write it.
_STREAMED = (b'"stream":true', b'"stream": true')


def _chunk(choices: list[dict[str, Any]], **more: object) -> bytes:
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, **more}
    return (
        b"data: " + json.dumps({**chunk, "model": "bench", "choices": choices}).encode() + b"\n\n"
    )


def _delta(finish: str | None, **delta: object) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


def _event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def _chat() -> bytes:
    message = {"role": "assistant", "content": "".join(_WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    about = {"id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "bench"}
    return json.dumps({**about, "choices": [choice], "usage": _USAGE}).encode()


def _chat_events() -> list[bytes]:
    return [
        _chunk(_delta(None, role="assistant", content="")),
        *(_chunk(_delta(None, content=word)) for word in _WORDS),
        _chunk(_delta("stop")),
        _chunk([], usage=_USAGE),
        b"data: [DONE]\n\n",
    ]


def _message(**more: object) -> dict[str, Any]:
    return {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench", **more}


def _messages() -> bytes:
    content = [{"type": "text", "text": "".join(_WORDS)}]
    usage = {"input_tokens": 120, "output_tokens": 40}
    return json.dumps(_message(content=content, stop_reason="end_turn", usage=usage)).encode()


def _messages_events() -> list[bytes]:
    text = {"type": "text", "text": ""}
    usage = {"input_tokens": 120, "output_tokens": 1}
    return [
        _event("message_start", message=_message(content=[], stop_reason=None, usage=usage)),
        _event("content_block_start", index=0, content_block=text),
        *(
            _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            for word in _WORDS
        ),
        _event("content_block_stop", index=0),
        _event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 40}),
        _event("message_stop"),
    ]


def _whole(body: bytes) -> list[bytes]:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return [head.encode() + b"\r\n\r\n" + body]


def _in_chunks(events: list[bytes]) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    pieces = [f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in events]
    pieces[0] = head + b"\r\n" + pieces[0]
    return [*pieces, b"0\r\n\r\n"]


# What is written, piece by piece, by (is it messages, is it streamed).
_ANSWERS = {
    (False, False): _whole(_chat()),
    (False, True): _in_chunks(_chat_events()),
    (True, False): _whole(_messages()),
    (True, True): _in_chunks(_messages_events()),
}


class Upstream(asyncio.Protocol):
    """One connection; requests come one after the other, each with a Content-Length."""

    def __init__(self) -> None:
        self._came = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the answers."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is whole."""
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._came[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(self._came) < end + 4 + length:
            return
        body, self._came = self._came[end + 4 :], b""
        _, milliseconds, *route = head.split(b" ", 2)[1].split(b"/")
        streamed = any(spelling in body for spelling in _STREAMED)
        pieces = iter(_ANSWERS[b"messages" in route, streamed])
        if milliseconds.isdigit() and int(milliseconds):
            asyncio.get_running_loop().call_later(int(milliseconds) / 1000, self._write, pieces)
        else:
            self._write(pieces)

    def _write(self, pieces: Iterator[bytes]) -> None:
        # One piece in each turn of the loop, so that a stream comes in pieces.
        transport = self._transport
        if transport and not transport.is_closing() and (piece := next(pieces, None)):
            transport.write(piece)
            asyncio.get_running_loop().call_soon(self._write, pieces)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    uvloop.run(_serve(parser.parse_args().port))
