"""Real clients, unmodified, do what they can through the gateway: each call is metered to the
token."""

import json

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Agent, Allocation
from tests.actors import ACTOR
from tests.clients.blocks import blocks, run
from tests.clients.sessions import assert_metered

CHAT, RESPONSES = "POST /v1/chat/completions", "POST /v1/responses"
MESSAGES, COUNT = "POST /v1/messages", "POST /v1/messages/count_tokens"
EMBEDDINGS, MODELS = "POST /v1/embeddings", "GET /v1/models"
CLAUDE_CODE = "POST /v1/messages?beta=true"
SDKS = {
    "openai": [CHAT, CHAT, RESPONSES, CHAT, RESPONSES, EMBEDDINGS, MODELS],
    "anthropic": [MESSAGES, MESSAGES, MESSAGES, COUNT, MODELS],
    "openai-js": [CHAT, CHAT, RESPONSES, CHAT, RESPONSES, EMBEDDINGS, MODELS],
    "langchain": [CHAT, CHAT, CHAT, EMBEDDINGS],
}


@pytest.mark.parametrize("client", SDKS)
def test_an_sdk_does_all_it_can_and_every_call_is_metered(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=20, tool="weather", reasoning=3)
    parts = ("", "-chat", "-stream", "-responses", "-more")
    names = [client + part for part in parts if client + part in blocks()]
    ran = run(*names, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    assert ran.out.count("the sandbox") >= 2
    assert "weather" in ran.out
    assert butler.requests == SDKS[client]
    assert_metered(session, sandbox.log())


@pytest.mark.parametrize(
    ("client", "tool", "arguments", "requests"),
    [
        ("claude-code", "Read", {"file_path": "note.txt"}, ["HEAD /", *[CLAUDE_CODE] * 2]),
        # The search itself is refused: the provider would do it.
        ("claude-code", "WebSearch", {"query": "news"}, ["HEAD /", *[CLAUDE_CODE] * 3]),
        ("codex", "exec_command", {"cmd": "cat note.txt"}, [RESPONSES] * 2),
    ],
)
def test_a_command_uses_a_tool_and_its_calls_are_metered(
    client, tool, arguments, requests, butler, lend, sandbox, tmp_path
):
    session = lend("anthropic" if client == "claude-code" else "openai")
    (tmp_path / "note.txt").write_text("A budget is lent.")
    sandbox.fault(key=session.allocation.api_key_id, times=9, tool=tool, args=json.dumps(arguments))
    ran = run(client, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    assert butler.requests == requests
    assert_metered(session, sandbox.log())
    charges, told = session.charges(), json.loads(ran.out.splitlines()[-1])["usage"]
    assert len(charges) == 2
    assert told["input_tokens"] == sum(charge.input_tokens for charge in charges)
    assert told["output_tokens"] == sum(charge.output_tokens for charge in charges)


def test_a_budget_lent_by_the_api_is_what_a_client_spends(butler, sandbox, tmp_path):
    ada = Agent.objects.get(pk="ada")
    _, agent_token = keys.issue_token(ada, scopes=["spend"], actor=ACTOR, now=timezone.now())
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
