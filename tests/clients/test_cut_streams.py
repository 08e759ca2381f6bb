"""Answers that the provider cuts off: what each client does, and that it is charged."""

import re

import pytest

from tests.clients.blocks import run

STREAMS = [
    ("openai", "openai-stream"),
    ("openai", "openai-responses"),
    ("anthropic", "anthropic-stream"),
    ("openai-js", "openai-js-stream"),
    ("openai-js", "openai-js-responses"),
    ("langchain", "langchain-stream"),
]


@pytest.mark.parametrize(("client", "stream"), STREAMS)
def test_an_sdk_raises_and_does_not_ask_again(client, stream, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=1, cut="mid")
    where = {"BUTLER_URL": butler.url, "BUTLER_TOKEN": session.token}
    ran = run(client, stream, home=tmp_path, **where)
    assert ran.code == 1, ran.said
    assert re.search("API(Status)?Error: .*The provider broke off in the middle", ran.said)
    assert len(butler.requests) == 1
    assert_charged_for_the_half(session, sandbox.log())


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_a_command_asks_again_by_itself_and_pays_for_both(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "claude-code" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=1, cut="mid")
    ran = run(client, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    first, second = sandbox.log()
    # Claude Code repeats the request without streaming it.
    assert (first["stream"], second["stream"]) == (True, client == "codex")
    assert_charged_for_the_half(session, [first])
    again = session.charges()[1]
    assert (again.basis, again.tokens) == ("provider", second["input"] + second["output"])


@pytest.mark.parametrize(
    ("blocks", "times"),
    [
        (["openai", "openai-chat"], 1),
        (["anthropic", "anthropic-chat"], 1),
        (["openai-js", "openai-js-chat"], 1),
        (["langchain", "langchain-chat"], 1),
        (["claude-code"], 1),
        # It does not look at x-should-retry.
        (["codex"], 2),
    ],
)
def test_an_answer_that_never_comes_is_asked_for_once(
    blocks, times, butler, lend, sandbox, tmp_path
):
    session = lend("anthropic" if blocks[0] in ("anthropic", "claude-code") else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=1, cut="before_headers")
    ran = run(*blocks, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert "The call may have been made" in ran.said or times == 2
    assert len([asked for asked in butler.requests if asked != "HEAD /"]) == times
    assert [charge.basis for charge in session.charges()] == ["estimated", "provider"][:times]


def assert_charged_for_the_half(session, log) -> None:
    """What the provider may bill of a broken stream is charged: counted, never less than it is."""
    (row,) = log
    charge = session.charges()[0]
    assert charge.basis == "estimated"
    assert charge.input_tokens >= row["input"]
    assert charge.output_tokens >= row["output"]
