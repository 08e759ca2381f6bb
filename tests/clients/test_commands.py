"""The commands of docs/runners.md are run as sub-agents: told, heard, metered, refused."""

import asyncio
import re
from functools import cache

import pytest
from django.utils import timezone

from orchestration import services
from orchestration.runners.base import Failed, Work
from orchestration.runners.command import CommandRunner
from tests.actors import GRACE
from tests.clients.blocks import COMMANDS, ROOT
from tests.clients.sessions import assert_metered
from tests.orchestration.fences import needs_fence

pytestmark = needs_fence

_LINES = re.compile(r"^```lines ([\w-]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
every_agent = pytest.mark.parametrize(
    ("agent", "wire_format"), [("claude-code", "anthropic"), ("codex", "openai")]
)


@cache
def presets():
    """The lines of every block of the page."""
    found = _LINES.findall((ROOT / "docs" / "runners.md").read_text())
    return {name: lines.splitlines() for name, lines in found}


def pairs(block):
    """Lines of NAME=value."""
    return dict(line.split("=", 1) for line in presets()[block])


@pytest.fixture
def carried_out(settings, tmp_path, monkeypatch, butler):
    """`carried_out("codex", session, "do this")`: what comes of it in the runner's fence."""
    settings.VAR_DIR = tmp_path
    monkeypatch.setenv("PATH", f"{COMMANDS}:/usr/local/bin:/usr/bin:/bin")

    def carry(agent, session, prompt):
        terms = pairs(f"{agent}-terms")
        if status := terms.pop("refusal_status", None):
            terms["refusal_status"] = int(status)
        terms |= {
            "argv": presets()[f"{agent}-argv"],
            "environment": pairs(f"{agent}-environment"),
            "read_only_folders": [str(COMMANDS.parent)],
        }
        services.set_command(
            agent,
            terms=services.CommandTerms(**terms),
            reason="test",
            actor=GRACE,
            now=timezone.now(),
        )
        return asyncio.run(_carried_out(_work(agent, session, prompt, butler.url)))

    return carry


def _work(agent, session, prompt, url):
    return Work(
        session_id=f"butler-{agent}",
        label="butler-test",
        prompt=prompt,
        runner=f"command:{agent}",
        model="gpt-5-mini",
        wire_format=session.allocation.wire_format,
        tokens=session.allocation.allocated,
        seconds=120,
        gateway_url=f"{url}/v1",
        token=session.token,
    )


async def _carried_out(asked):
    runner = CommandRunner()
    try:
        handle = await runner.spawn(asked)
        assert await runner.poll(asked, handle, seconds=asked.seconds)
        return await runner.result(asked, handle)
    finally:
        await runner.forget(asked, handle)
        await runner.close()


@every_agent
def test_an_agent_answers_and_every_call_is_metered(agent, wire_format, carried_out, lend, sandbox):
    session = lend(wire_format)
    result = carried_out(agent, session, "--help 'me' [[sandbox output=120]]")
    # More words than the sandbox has, so that all of them are there wherever it begins.
    assert "the sandbox" in result.text
    assert session.token not in str(result)
    assert_metered(session, sandbox.log())
    assert len(session.charges()) == 1


@every_agent
def test_an_agent_without_budget_fails_and_says_why(agent, wire_format, carried_out, lend, sandbox):
    status = 400 if agent == "codex" else None
    session = lend(wire_format, tokens=10, refusal_status=status)
    with pytest.raises(Failed) as told:
        carried_out(agent, session, "hello")
    assert told.value.kind == "failed"
    assert "10 tokens are left" in told.value.says
    assert session.charges() == sandbox.log() == []
