"""Runners carry attempts out: one file per runner, one protocol (`base.Runner`).

`model` calls a model through the gateway; `command:<slug>` runs the command-line agent that a
superuser configured under this slug; `openclaw` uses sub-agents of an OpenClaw gateway, if the
settings name one.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from orchestration.models import Command
from orchestration.refusals import RunnerNotFound
from orchestration.runners.base import Runner
from orchestration.runners.command import CommandRunner
from orchestration.runners.model import ModelRunner
from orchestration.runners.openclaw.runner import OpenClawRunner


class Terms(NamedTuple):
    """What a runner requires of its allocations.

    `wire_format`: the one that its API keys must support; None for any. `refusal_status`: the HTTP
    status that tells it that its budget is used up; None for the usual one.
    """

    wire_format: str | None = None
    refusal_status: int | None = None


_COMMAND = "command"
_OPENCLAW = "openclaw"
_RUNNERS: dict[str, Callable[[], Runner]] = {
    "model": ModelRunner,
    _COMMAND: CommandRunner,
    _OPENCLAW: OpenClawRunner,
}


def check(name: str, *, agent: str | None) -> None:
    """Check that the runner is configured, and that the agent may use it. Refusal: RunnerNotFound.

    Without an agent, any runner that is configured will do.
    """
    terms(name, agent=agent)


def terms(name: str, *, agent: str | None) -> Terms:
    """What the runner requires of its allocations. Refusal: RunnerNotFound, as for `check`."""
    if name in (built_in := _built_in_terms()):
        return built_in[name]
    kind, _, slug = name.partition(":")
    commands = _enabled_commands(agent)
    if kind == _COMMAND and (command := commands.filter(slug=slug).first()):
        return Terms(command.wire_format, command.refusal_status)
    names = [f"{_COMMAND}:{slug}" for slug in commands.values_list("slug", flat=True)]
    raise RunnerNotFound(runner=name, runners=[*built_in, *names])


def _built_in_terms() -> dict[str, Terms]:
    found = {"model": Terms()}
    if settings.OPENCLAW_URL:
        # After another status, OpenClaw would not use the slot for a minute or more.
        found[_OPENCLAW] = Terms("openai", 400)
    return found


def _enabled_commands(agent: str | None) -> QuerySet[Command]:
    commands = Command.objects.all() if agent is None else Command.objects.open_to(agent)
    return commands.filter(disabled_at=None).order_by("slug")


class Runners:
    """The runners of one worker process: one instance per kind, created on first use."""

    def __init__(self) -> None:
        self._instances: dict[str, Runner] = {}

    def of(self, name: str) -> Runner:
        """The runner of this name; `check` has accepted the name before."""
        kind = name.partition(":")[0]
        if kind not in self._instances:
            self._instances[kind] = _RUNNERS[kind]()
        return self._instances[kind]

    async def close(self) -> None:
        """Close all runners, because the worker stops."""
        for runner in self._instances.values():
            await runner.close()
        self._instances.clear()
