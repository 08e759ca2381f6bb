"""What is refused because its cost is not known before the call, in words for each client."""

import json
from contextlib import closing

import pytest

from tests.gateway.server import answer_of, gateway_on, lend, supply

pytestmark = pytest.mark.django_db(transaction=True)
SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway without a key."""
    with gateway_on(sandbox, settings) as running:
        yield running


@pytest.mark.parametrize(
    ("user_agent", "hint"),
    [
        ("codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64)", 'set web_search = "disabled"'),
        ("codex_exec/0.170.1", 'set web_search = "disabled"'),
        ("claude-cli/2.1.197 (external, cli)", "--disallowedTools WebSearch"),
        ("ai/6.0.326 ai-sdk/provider-utils/4.0.0 runtime/node.js/24", "In the AI SDK"),
        ("ai-sdk/anthropic/3.0.140", "In the AI SDK"),
        ("opencode/1.18.33 ai-sdk/provider-utils/4.0.0", "In opencode"),
        ("Agents/Python 0.24.0", "In the Agents SDK"),
        ("pydantic-ai/2.68.0", "In Pydantic AI"),
        ("OpenAI/Python 3.54.0", ""),
        ("curl/8.0", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_a_refused_search_tells_each_client_what_its_users_must_change(
    gateway, sandbox, user_agent, hint, wire_format
):
    supply("key-1")
    session = lend(gateway.url, wire_format=wire_format)
    answer = session.call(tools=SEARCH, headers={"user-agent": user_agent})
    assert (answer.status, answer.code) == (400, "cannot_be_bounded")
    sentence = answer.json["error"]["message"]
    assert "search in the client with a function of your own." in sentence
    assert hint in sentence
    names = ("Codex", "Claude Code", "AI SDK", "opencode", "Agents SDK", "Pydantic AI")
    assert [name in sentence for name in names].count(True) == bool(hint)
    assert not sandbox.log()


@pytest.mark.parametrize("model", ["gpt-4o-search-preview", "sonar-pro", "groq/compound-mini"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_always_searches_is_refused_at_the_call(gateway, sandbox, model, stream):
    supply("key-1", model=model)
    session = lend(gateway.url)
    answer = session.call(stream=stream)
    assert (answer.status, answer.code) == (400, "cannot_be_bounded")
    assert answer.json["error"]["param"] == "model"
    assert f"The model {model} searches with every call" in answer.json["error"]["message"]
    assert not sandbox.log()


@pytest.mark.parametrize(
    "fields", [{"web_search_options": {}}, {"search_parameters": {}}, {"enable_search": True}]
)
def test_a_search_that_is_switched_on_is_never_sent(gateway, sandbox, fields):
    supply("key-1")
    session = lend(gateway.url)
    with closing(
        session.open(json.dumps({"model": "m", "messages": [], **fields}).encode())
    ) as way:
        answer = answer_of(way)
    assert (answer.status, answer.code) == (400, "cannot_be_bounded")
    assert answer.json["error"]["param"] == next(iter(fields))
    assert not sandbox.log()
