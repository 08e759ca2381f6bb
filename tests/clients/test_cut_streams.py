"""A stream that the provider cuts half-way: what each client does, and that it is charged."""

import pytest

from tests.clients.blocks import run

SDKS = {
    "openai": "openai.APIError: The provider broke off",
    "anthropic": "The provider broke off",
    "openai-js": "The provider broke off",
    "langchain": "The provider broke off",
}


@pytest.mark.parametrize("client", SDKS)
def test_an_sdk_raises_and_does_not_ask_again(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "anthropic" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=1, cut="mid")
    where = {"BUTLER_URL": butler.url, "BUTLER_TOKEN": session.token}
    ran = run(client, f"{client}-stream", home=tmp_path, **where)
    assert ran.code == 1, ran.said
    assert SDKS[client] in ran.said
    assert len(butler.requests) == 1
    assert_charged_for_both_halves(session, sandbox.log())


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_a_command_asks_again_by_itself_and_pays_for_both(client, butler, lend, sandbox, tmp_path):
    session = lend("anthropic" if client == "claude-code" else "openai")
    sandbox.fault(key=session.allocation.api_key_id, times=1, cut="mid")
    ran = run(client, home=tmp_path, BUTLER_URL=butler.url, BUTLER_TOKEN=session.token)
    assert ran.code == 0, ran.said
    first, second = sandbox.log()
    # Claude Code repeats the request without streaming it.
    assert (first["stream"], second["stream"]) == (True, client == "codex")
    assert_charged_for_both_halves(session, [first])
    again = session.charges()[1]
    assert (again.basis, again.tokens) == ("provider", second["input"] + second["output"])


def assert_charged_for_both_halves(session, log) -> None:
    """What the provider may bill of a broken stream is charged: counted, never less than it is."""
    (row,) = log
    charge = session.charges()[0]
    assert charge.basis == "estimated"
    assert charge.input_tokens >= row["input"]
    assert charge.output_tokens >= row["output"]
