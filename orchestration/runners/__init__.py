"""What carries attempts out: one file per runner, one protocol (`base.Runner`)."""

from collections.abc import Callable

from orchestration.refusals import UnknownRunner
from orchestration.runners.base import Runner
from orchestration.runners.model import ModelRunner

_RUNNERS: dict[str, Callable[[], Runner]] = {"model": ModelRunner}


def check(name: str) -> None:
    """Whether attempts can be carried out by it. Refusal: UnknownRunner."""
    if name not in _RUNNERS:
        raise UnknownRunner(f"There is no runner {name!r}. Runners: {', '.join(sorted(_RUNNERS))}.")


class Runners:
    """The runners of one worker process: one instance per kind, made when it is first needed."""

    def __init__(self) -> None:
        self._made: dict[str, Runner] = {}

    def of(self, name: str) -> Runner:
        """The runner of this name. Refusal: UnknownRunner."""
        kind = name.partition(":")[0]
        if kind not in _RUNNERS:
            raise UnknownRunner(f"There is no runner {name!r}.")
        if kind not in self._made:
            self._made[kind] = _RUNNERS[kind]()
        return self._made[kind]

    async def close(self) -> None:
        """The worker stops."""
        for runner in self._made.values():
            await runner.close()
        self._made.clear()
