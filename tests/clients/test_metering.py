"""Real clients, unmodified, do what they can through the gateway: each call is metered to the
token."""

import pytest

from tests.clients.blocks import run
from tests.clients.sessions import assert_metered

CHAT, RESPONSES = "POST /v1/chat/completions", "POST /v1/responses"
MESSAGES, COUNT = "POST /v1/messages", "POST /v1/messages/count_tokens"
EMBEDDINGS, MODELS = "POST /v1/embeddings", "GET /v1/models"
OPENAI = [CHAT, CHAT, CHAT, RESPONSES, EMBEDDINGS, MODELS]
SDKS = {
    "openai": [CHAT, CHAT, CHAT, RESPONSES, RESPONSES, EMBEDDINGS, MODELS],
    "openai-js": OPENAI,
    "langchain": [CHAT, CHAT, CHAT, EMBEDDINGS],
    "anthropic": [MESSAGES, MESSAGES, MESSAGES, COUNT, MODELS],
}


@pytest.mark.parametrize("client", SDKS)
def test_an_sdk_does_all_it_can_and_every_call_is_metered(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=20, tool="weather")
    names = [client, f"{client}-chat", f"{client}-stream", f"{client}-more"]
    ran = run(*names, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    assert ran.out.count("the sandbox") >= 2
    assert "weather" in ran.out
    assert butler.requests == SDKS[client]
    assert_metered(session, sandbox.log())
