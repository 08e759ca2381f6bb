"""A client that leaves its stream pays what the provider bills, reasoning included."""

import json

import pytest

from keys.models import Charge
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
CALLS = [
    (CHAT, "openai", "o3"),
    (CHAT, "google", "gemini-2.5-pro"),
    (CHAT, "xai", "grok-4"),
    (MESSAGES, "anthropic", "o4-mini"),
    (RESPONSES, "openai", "gpt-5"),
]


def leave(session, path, said):
    """Ask for a stream, read its beginning and leave."""
    body = session.body(said, stream=True, max_tokens=4_000)
    if path == RESPONSES:
        asked = {"model": "any", "input": said, "max_output_tokens": 4_000, "stream": True}
        body = json.dumps(asked).encode()
    way = session.open(body, path=path)
    response = way.getresponse()
    assert response.status == 200
    assert response.read1()
    way.sock.close()
    response.close()


def charge_after(path, provider, model, said, sandbox, settings):
    """The charge of a stream that was left, once it is settled and the provider is done."""
    supply("key-1", provider=provider, model=model, sandbox=True)
    with gateway_on(sandbox, settings) as gateway:
        wire_format = "anthropic" if path == MESSAGES else "openai"
        leave(lend(gateway.url, wire_format=wire_format), path, said)
        wait_until(lambda: not Charge.objects.filter(status="held").exists())
        wait_until(lambda: sandbox.under_way() == 0)
    assert_books_balance()
    return Charge.objects.get()


@pytest.mark.parametrize(("path", "provider", "model"), CALLS)
def test_where_a_model_reasons_unseen_a_stream_is_read_to_its_end(
    path, provider, model, sandbox, settings
):
    said = "[[sandbox output=30 reasoning=25 slow_ms=20]]"
    charge = charge_after(path, provider, model, said, sandbox, settings)
    (billed,) = sandbox.log()
    assert billed["finished"]
    assert (charge.basis, charge.output_tokens, charge.input_tokens) == (
        "provider",
        30,
        billed["input"],
    )


@pytest.mark.parametrize(("path", "provider", "model"), CALLS)
def test_when_that_takes_too_long_the_stream_is_closed_and_its_hold_charged(
    path, provider, model, sandbox, settings
):
    settings.GATEWAY_READ_ON_SECONDS = 0
    said = "[[sandbox output=30 reasoning=25 stall=mid]]"
    charge = charge_after(path, provider, model, said, sandbox, settings)
    assert (charge.basis, charge.tokens) == ("estimated", charge.held_tokens)
    assert not sandbox.log()[0]["finished"]


@pytest.mark.parametrize(("path", "provider"), [call[:2] for call in CALLS])
def test_where_all_is_seen_the_stream_is_closed_and_what_came_is_charged(
    path, provider, sandbox, settings
):
    charge = charge_after(
        path, provider, "gpt-4o", "[[sandbox output=30 stall=mid]]", sandbox, settings
    )
    assert charge.basis == "estimated"
    assert 0 < charge.tokens < charge.held_tokens
    assert not sandbox.log()[0]["finished"]
