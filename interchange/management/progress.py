"""A progress bar for commands, on terminals only."""

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


class _RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


@contextmanager
def progress(stdout: OutputWrapper, what: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of how many of `total` are done, with their rate and the time left.

    Call what is yielded with the number of those done since.
    """
    if not stdout.isatty():
        yield lambda _: None
        return
    columns = (what, BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=cast(IO[str], stdout._out))) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
