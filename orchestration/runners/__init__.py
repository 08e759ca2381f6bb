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


def check(name: str) -> None:
    """Check that the runner exists and is configured. Refusal: RunnerNotFound."""
    terms(name)


def terms(name: str) -> Terms:
    """What the runner requires of its allocations. Refusal: RunnerNotFound."""
    if name in (built_in := _built_in_terms()):
        return built_in[name]
    kind, _, slug = name.partition(":")
    if kind == _COMMAND and (command := _enabled_commands().filter(slug=slug).first()):
        return Terms(command.wire_format, command.refusal_status)
    raise RunnerNotFound(runner=name, runners=names())


def names() -> list[str]:
    """The names of all runners that are configured now."""
    commands = _enabled_commands().values_list("slug", flat=True)
    return [*_built_in_terms(), *(f"{_COMMAND}:{slug}" for slug in commands)]


def _built_in_terms() -> dict[str, Terms]:
    found = {"model": Terms()}
    if settings.OPENCLAW_URL:
        # After another status, OpenClaw would not use the slot for a minute or more.
        found[_OPENCLAW] = Terms("openai", 400)
    return found


def _enabled_commands() -> QuerySet[Command]:
    return Command.objects.filter(disabled_at=None).order_by("slug")


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
