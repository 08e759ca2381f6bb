"""Answers that a provider, or a CDN before it, encodes although Butler asked for plain ones."""

import gzip
import json
import zlib

import brotli
import pytest
from backports import zstd

from tests.gateway import wire
from tests.gateway.provider import ask, http, piece
from tests.gateway.server import Answer

__all__ = ["ask"]
pytestmark = pytest.mark.django_db(transaction=True)
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
WHOLE = json.dumps(
    {
        "id": "c-1",
        "choices": [{"index": 0, "message": {"content": "héllo 你好"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
).encode()
STREAM = (
    wire.events(piece("héllo 你好 🎉"), piece(None, "stop"), {"choices": [], "usage": USAGE})
    + b"data: [DONE]\n\n"
)
# What the client gets: it did not ask for the usage.
SEEN = wire.events(piece("héllo 你好 🎉"), piece(None, "stop")) + b"data: [DONE]\n\n"


def _raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


def _members(data: bytes) -> bytes:
    return gzip.compress(data[:50]) + gzip.compress(data[50:])


ENCODINGS = {
    "gzip": ("gzip", gzip.compress),
    "GZIP in capitals": ("GZIP", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "gzip in two members": ("gzip", _members),
    "gzip without a header": (None, gzip.compress),
    "gzip under another name": ("binary", gzip.compress),
    "named gzip but plain": ("gzip", bytes),
    "named br but plain": ("br", bytes),
    "named deflate but plain": ("deflate", bytes),
    "named zstd but plain": ("zstd", bytes),
    "gzip twice, named once": ("gzip", lambda data: gzip.compress(gzip.compress(data))),
    "deflate": ("deflate", zlib.compress),
    "deflate without its head": ("deflate", _raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "gzip, br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "identity": ("identity", bytes),
    "an unknown name but plain": ("utf-8", bytes),
}
every_encoding = pytest.mark.parametrize(("name", "encode"), ENCODINGS.values(), ids=ENCODINGS)


def encoded(body: bytes, name: str | None, **options) -> bytes:
    """A response with a `Content-Encoding`."""
    return http(body, headers=[f"content-encoding: {name}"] if name else [], **options)


@every_encoding
def test_a_whole_answer_is_decoded_and_metered(ask, name, encode):
    found = ask(encoded(encode(WHOLE), name))
    assert found.answer.body == WHOLE
    assert "content-encoding" not in found.answer.headers
    assert found.usage == (20, 5, "provider")


@every_encoding
def test_a_stream_is_decoded_and_metered(ask, name, encode):
    found = ask(encoded(encode(STREAM), name, content_type="text/event-stream"), stream=True)
    assert found.answer.body == SEEN
    assert "content-encoding" not in found.answer.headers
    assert found.usage == (20, 5, "provider")


@pytest.mark.parametrize("size", [16_384, 100_000, 1_000_000])
def test_a_stream_that_comes_all_at_once_is_passed_on_whole(ask, size):
    """It is handled in pieces, so that other calls are not held up."""
    words = wire.events(*(piece(f"word-{number} ") for number in range(size // 100)))
    found = ask(http(words + STREAM, content_type="text/event-stream"), stream=True)
    assert found.answer.body == words + SEEN
    assert found.usage == (20, 5, "provider")


@pytest.mark.parametrize(
    ("path", "provider"), [("/v1/messages", "anthropic"), ("/v1/responses", "openai")]
)
def test_other_routes_are_decoded_too(ask, path, provider):
    usage = {"input_tokens": 20, "output_tokens": 5}
    content = [{"type": "text", "text": "hi"}]
    body = json.dumps({"id": "m", "content": content, "output": content, "usage": usage}).encode()
    found = ask(encoded(gzip.compress(body), "gzip"), path=path, provider=provider)
    assert found.answer.body == body
    assert found.usage == (20, 5, "provider")


def test_an_encoded_error_reaches_the_client_decoded(ask):
    error = b'{"error":{"message":"no such model","code":"model_not_found"}}'
    found = ask(encoded(gzip.compress(error), "gzip", status=400))
    assert (found.answer.status, found.answer.json["error"]["message"]) == (400, "no such model")
    assert found.charge.status == "released"


def _flushed(encoder, data: bytes) -> bytes:
    return encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH)


UNFINISHED = {
    "gzip": lambda data: _flushed(zlib.compressobj(wbits=31), data),
    "deflate": lambda data: _flushed(zlib.compressobj(), data),
    "br": lambda data: _brotli_flushed(brotli.Compressor(), data),
    "zstd": lambda data: zstd.ZstdCompressor().compress(data, zstd.ZstdCompressor.FLUSH_BLOCK),
    "identity": bytes,
}


def _brotli_flushed(encoder: brotli.Compressor, data: bytes) -> bytes:
    return encoder.process(data) + encoder.flush()


def _read_first_event(way) -> Answer:
    """What came of a stream that goes on, when its first event was there."""
    response, seen = way.getresponse(), b""
    while b"\n\n" not in seen:
        seen += response.read1()
    response.close()
    return Answer(response.status, dict(response.getheaders()), seen, whole=False)


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", None])
@pytest.mark.parametrize("name", UNFINISHED)
def test_each_event_is_passed_on_at_once(ask, name, content_type):
    body = UNFINISHED[name](wire.events(piece("one two three")))
    response = encoded(body, name, content_type=content_type)
    # It never ends: more is announced than comes.
    response = response.replace(b"content-length: ", b"content-length: 9")
    found = ask(response, hold_open=True, stream=True, read=_read_first_event)
    assert found.answer.body == wire.events(piece("one two three"))
    assert found.answer.headers["content-type"] == "text/event-stream"
    assert found.usage[1:] == (3, "estimated")


BOMBS = {
    "gzip": (gzip.compress, "gzip"),
    "gzip without a header": (gzip.compress, None),
    "deflate": (zlib.compress, "deflate"),
    "br": (brotli.compress, "br"),
    "zstd": (zstd.compress, "zstd"),
    "gzip, gzip": (lambda data: gzip.compress(gzip.compress(data)), "gzip, gzip"),
}
bombs = pytest.mark.parametrize(("encode", "name"), BOMBS.values(), ids=BOMBS)


@bombs
def test_an_answer_that_decodes_to_too_much_is_given_up(ask, settings, encode, name):
    settings.GATEWAY_ANSWER_BYTES_MAX = 200_000
    found = ask(encoded(encode(b'{"choices": [' + b" " * 5_000_000), name))
    assert (found.answer.status, found.answer.code) == (504, "answer_lost")
    assert found.charge.basis == "estimated"


@bombs
def test_a_stream_that_decodes_to_too_much_is_broken_off(ask, settings, encode, name):
    settings.GATEWAY_ANSWER_BYTES_MAX = 200_000
    bomb = wire.events(piece("one two three")) * 100_000
    response = encoded(encode(bomb), name, content_type="text/event-stream")
    found = ask(response, stream=True)
    assert len(found.answer.body) < 250_000
    assert b"broke off" in found.answer.body


def test_a_plain_answer_above_the_bound_is_given_up_too(ask, settings):
    settings.GATEWAY_ANSWER_BYTES_MAX = 10_000
    found = ask(http(WHOLE + b" " * 20_000))
    assert (found.answer.status, found.answer.code) == (504, "answer_lost")


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_an_encoded_answer_that_is_cut_off_is_lost(ask, name):
    _, encode = ENCODINGS[name]
    found = ask(encoded(encode(WHOLE)[:-12], name))
    assert (found.answer.status, found.answer.code) == (504, "answer_lost")
