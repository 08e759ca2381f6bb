"""What carries attempts out: one file per runner, one protocol (`base.Runner`).

`model` asks a model through the gateway; `command:<slug>` runs what an admin configured under this
slug; `openclaw` has sub-agents of an OpenClaw gateway do it, where one is configured.
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
    """What a runner's allocations must be like: the wire format it speaks (None: any), and how it
    wants to be told that its budget is used up (None: as usual)."""

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
    """Whether attempts can be carried out by it now. Refusal: RunnerNotFound."""
    terms(name)


def terms(name: str) -> Terms:
    """What its allocations must be like. Refusal: RunnerNotFound."""
    if name in (built_in := _built_in_terms()):
        return built_in[name]
    kind, _, slug = name.partition(":")
    if kind == _COMMAND and (command := _enabled_commands().filter(slug=slug).first()):
        return Terms(command.wire_format, command.refusal_status)
    raise RunnerNotFound(runner=name, runners=names())


def names() -> list[str]:
    """Every runner there is now."""
    commands = _enabled_commands().values_list("slug", flat=True)
    return [*_built_in_terms(), *(f"{_COMMAND}:{slug}" for slug in commands)]


def _built_in_terms() -> dict[str, Terms]:
    found = {"model": Terms()}
    if settings.OPENCLAW_URL:
        # For a minute or more it would leave a slot alone that was refused in another way.
        found[_OPENCLAW] = Terms("openai", 400)
    return found


def _enabled_commands() -> QuerySet[Command]:
    return Command.objects.filter(disabled_at=None).order_by("slug")


class Runners:
    """The runners of one worker process: one instance per kind, made when it is first needed."""

    def __init__(self) -> None:
        self._made: dict[str, Runner] = {}

    def of(self, name: str) -> Runner:
        """The runner of this name, which was checked before."""
        kind = name.partition(":")[0]
        if kind not in self._made:
            self._made[kind] = _RUNNERS[kind]()
        return self._made[kind]

    async def close(self) -> None:
        """The worker stops."""
        for runner in self._made.values():
            await runner.close()
        self._made.clear()
