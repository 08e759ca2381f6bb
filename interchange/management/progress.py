"""Progress of commands: bars on a terminal, elsewhere a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

# Told how many are done since it was told last.
Tell = Callable[[int], None]
# Begins a stage of work by its name and how many there are to do, None if that is not known.
Stages = Callable[[str, int | None], Tell]
_LINE_SECONDS = 10.0


class _RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


@contextmanager
def progress(stdout: OutputWrapper, what: str, *, total: int) -> Iterator[Tell]:
    """How many of `total` are done, with their rate and the time left.

    Call what is yielded with the number of those done since.
    """
    with stages(stdout) as begin:
        yield begin(what, total)


@contextmanager
def stages(stdout: OutputWrapper) -> Iterator[Stages]:
    """As `progress`, for work of several stages, one after the other."""
    if not stdout.isatty():
        yield lambda what, total: _Lines(stdout, what, total)
        return
    text = "[progress.description]{task.description}"
    columns = (text, BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=cast(IO[str], stdout._out))) as bars:

        def begin(what: str, total: int | None) -> Tell:
            task = bars.add_task(what, total=total)
            return lambda done: bars.advance(task, done)

        yield begin


class _Lines:
    """A line every ten seconds, for a log; work that is over sooner says nothing."""

    def __init__(self, stdout: OutputWrapper, what: str, total: int | None) -> None:
        self._stdout, self._what, self._total, self._done = stdout, what, total, 0
        self._began = self._told = time.monotonic()

    def __call__(self, done: int) -> None:
        self._done += done
        now = time.monotonic()
        if now - self._told < _LINE_SECONDS:
            return
        self._told, per_second = now, self._done / (now - self._began)
        of_total, left = "", ""
        if self._total is not None and per_second:
            of_total = f" of {self._total:,}"
            left = f", {max(self._total - self._done, 0) / per_second:,.0f} s left"
        self._stdout.write(
            f"{self._what}: {self._done:,}{of_total}, {per_second:,.0f} a second{left}"
        )
