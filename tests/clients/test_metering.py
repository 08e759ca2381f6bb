"""Real clients, unmodified, do what they can through the gateway: each call is metered to the
token."""

import json

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Agent, Allocation
from tests.clients.blocks import run
from tests.clients.sessions import assert_metered

CHAT, RESPONSES = "POST /v1/chat/completions", "POST /v1/responses"
MESSAGES, COUNT = "POST /v1/messages", "POST /v1/messages/count_tokens"
EMBEDDINGS, MODELS = "POST /v1/embeddings", "GET /v1/models"
SDKS = {
    "openai": [CHAT, CHAT, CHAT, RESPONSES, RESPONSES, EMBEDDINGS, MODELS],
    "anthropic": [MESSAGES, MESSAGES, MESSAGES, COUNT, MODELS],
    "openai-js": [CHAT, CHAT, CHAT, RESPONSES, EMBEDDINGS, MODELS],
    "langchain": [CHAT, CHAT, CHAT, EMBEDDINGS],
}


@pytest.mark.parametrize("client", SDKS)
def test_an_sdk_does_all_it_can_and_every_call_is_metered(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=20, tool="weather", reasoning=3)
    names = [client, f"{client}-chat", f"{client}-stream", f"{client}-more"]
    ran = run(*names, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    assert ran.out.count("the sandbox") >= 2
    assert "weather" in ran.out
    assert butler.requests == SDKS[client]
    assert_metered(session, sandbox.log())


def test_claude_code_works_and_its_calls_are_metered(butler, lend, sandbox, tmp_path):
    session = lend("anthropic")
    ran = run("claude-code", home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    told = json.loads(ran.out)
    assert butler.requests == ["HEAD /", "POST /v1/messages?beta=true"]
    (charge,) = session.charges()
    assert told["usage"]["input_tokens"] == charge.input_tokens
    assert told["usage"]["output_tokens"] == charge.output_tokens
    assert len(told["result"].split()) == charge.output_tokens
    assert_metered(session, sandbox.log())


def test_codex_works_and_its_calls_are_metered(butler, lend, sandbox, tmp_path):
    session = lend("openai")
    ran = run("codex", home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    told = json.loads(ran.out.splitlines()[-1])
    assert butler.requests == [RESPONSES]
    (charge,) = session.charges()
    assert told["usage"]["input_tokens"] == charge.input_tokens
    assert told["usage"]["output_tokens"] == charge.output_tokens
    assert_metered(session, sandbox.log())


def test_a_budget_lent_by_the_api_is_what_a_client_spends(butler, sandbox, tmp_path):
    ada = Agent.objects.get(pk="ada")
    _, agent_token = keys.issue_token(ada, scopes=["spend"], who="test", now=timezone.now())
    lent = run("lend", home=tmp_path, BUTLER_URL=butler.url, AGENT_TOKEN=agent_token)
    token = lent.out.strip()
    assert token.startswith("bs_"), lent.said
    ran = run("openai", "openai-chat", home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=token)
    assert ran.code == 0, ran.said
    (row,) = sandbox.log()
    left = 200_000 - row["input"] - row["output"]
    assert f"left: {left} cost: 0." in ran.out
    assert Allocation.objects.get().used == 200_000 - left


def test_a_call_repeated_under_its_idempotency_key_is_made_once(butler, lend, sandbox, tmp_path):
    session = lend("openai")
    where = {"BUTLER_URL": butler.url, "BUTLER_TOKEN": session.token}
    ran = run("openai", "openai-again", home=tmp_path, **where)
    assert ran.code == 0, ran.said
    assert "already_called" in ran.out
    assert butler.requests == [CHAT, CHAT]
    assert len(sandbox.log()) == 1
    assert_metered(session, sandbox.log())
