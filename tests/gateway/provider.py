"""A provider that answers with given bytes, and one call to it through the gateway."""

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from keys.models import ApiKey, Charge
from keys.supply.pricing import Rates
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.server import (
    PATHS,
    Answer,
    RunningGateway,
    answer_of,
    gateway_on,
    lend,
    supply,
)
from tests.keys.builders import PAID
from tests.threads import wait_until

# Other routes than those of `PATHS`, and what a request of them has instead of messages.
INPUTS = {
    "/v1/responses": {"input": "hello", "max_output_tokens": 40},
    "/v1/completions": {"prompt": "hello", "max_tokens": 40},
    "/v1/embeddings": {"input": "hello"},
}


class Result(NamedTuple):
    """What a client got, what it cost, and the key that was used."""

    answer: Answer
    charge: Charge

    @property
    def usage(self) -> tuple[int, int, str]:
        """Input and output tokens, and on what basis they are charged."""
        charge = self.charge
        return charge.input_tokens, charge.output_tokens, charge.basis

    @property
    def key(self) -> ApiKey:
        """The API key as it is now."""
        return ApiKey.objects.get()


Ask = Callable[..., Result]


def http(
    body: bytes,
    *,
    status: int = 200,
    content_type: str | None = "application/json",
    headers: Iterable[str] = (),
) -> bytes:
    """An HTTP response of known length."""
    lines = [f"HTTP/1.1 {status} X", "connection: close", f"content-length: {len(body)}", *headers]
    if content_type is not None:
        lines.append(f"content-type: {content_type}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def stream_of(*events: Any, content_type: str | None = "text/event-stream") -> bytes:
    """A stream of events, which are bytes or what becomes JSON."""
    return http(b"".join(map(_event, events)), content_type=content_type)


def whole(**fields: Any) -> bytes:
    """A whole answer in JSON."""
    return http(json.dumps(fields).encode())


def piece(content: str | None = None, finish_reason: str | None = None, **fields: Any) -> dict:
    """A chunk of a chat completion with one choice."""
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **fields}
    return {"id": "c-1", "choices": [choice]}


def _event(event: Any) -> bytes:
    return event if isinstance(event, bytes) else wire.events(event)


@pytest.fixture
def ask(sandbox, settings):
    """Call a provider that answers with `response`; the books must balance afterwards."""
    settings.UPSTREAM_SILENCE_SECONDS = 5
    with gateway_on(sandbox, settings) as gateway:
        yield lambda response, **options: _ask(gateway, response, **options)


def _ask(
    gateway: RunningGateway,
    response: bytes,
    *,
    path: str = PATHS["openai"],
    model: str = "gpt-4o",
    provider: str = "nvidia",
    read: Callable[[Any], Answer] = answer_of,
    hold_open: bool = False,
    said: str = "hello",
    rates: Rates | None = PAID,
    **fields: Any,
) -> Result:
    wire_format = "anthropic" if path.startswith("/v1/messages") else "openai"
    with wire.wired(response, hold_open=hold_open) as wired:
        # Its embeddings are for calls of that route.
        terms = {
            "provider": provider,
            "model": model,
            "rates": rates,
            "served_rates": {"embed-1": PAID},
        }
        supply("key-1", base_url=wired.base_url, **terms)
        session = lend(gateway.url, wire_format=wire_format)
        body = session.body(said, **fields)
        if path in INPUTS:
            body = json.dumps({"model": "any", **INPUTS[path], **fields}).encode()
        with closing(session.open(body, path=path)) as connection:
            answer = read(connection)
        wait_until(lambda: not Charge.objects.filter(status="held").exists())
    charge = Charge.objects.get()
    assert not charge.overrun
    assert_books_balance()
    return Result(answer, charge)
