"""Every client understands that its budget is used up: it stops at once and says why."""

import pytest

from tests.clients.blocks import run
from tests.clients.sessions import assert_metered

SDKS = ["openai", "anthropic", "openai-js", "langchain"]


@pytest.mark.parametrize("client", SDKS)
def test_an_sdk_asks_once_and_shows_what_butler_says(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai", tokens=600)
    # The first answer takes all that is left, though it was to be longer: the provider bills as
    # many tokens of input as Butler held.
    sandbox.fault(key=session.allocation.api_key_id, times=9, output=100_000, input=360)
    names = [client, f"{client}-chat", f"{client}-refused"]
    ran = run(*names, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    assert "The allocation has 600 tokens until" in ran.out
    assert len(butler.requests) == 2
    # Before a call is cut, Anthropic's free count is asked for.
    calls = [call for call in sandbox.log() if not call["route"].endswith("/count_tokens")]
    assert len(calls) == 1
    assert_metered(session, calls)


@pytest.mark.parametrize(
    ("client", "terms", "says"),
    [
        ("claude-code", {}, "API Error: 400 10 tokens are left"),
        ("codex", {}, "10 tokens are left; this call may need"),
        ("codex", {"refusal_status": 429}, "Quota exceeded."),
    ],
)
def test_a_command_asks_once_and_says_why(client, terms, says, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "claude-code" else "openai", tokens=10, **terms)
    ran = run(client, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 1, ran.said
    assert says in ran.out
    assert len([asked for asked in butler.requests if asked != "HEAD /"]) == 1
    assert session.charges() == sandbox.log() == []
