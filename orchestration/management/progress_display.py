"""How `run_task` displays a task: live in a terminal, line by line elsewhere."""

import re
from datetime import datetime
from typing import Protocol

from django.core.management.base import OutputWrapper
from django.utils import timezone
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from common import formatting
from orchestration.management.task_watch import TaskSnapshot, hint
from orchestration.queries.results import SubTaskResult

# Text of a model must not control the terminal, move its cursor or reverse its lines.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MARKS = {
    "blocked": ("·", "dim"),
    "gated": ("?", "yellow"),
    "waiting": ("·", "dim"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("–", "dim"),
}
_OTHER_LINES = 8
_ENDED = ("succeeded", "failed", "cancelled")


def without_control_characters(text: str) -> str:
    """The text with a replacement for every character that would control a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class ProgressDisplay(Protocol):
    """Displays a task while it is followed; a context manager around the updates."""

    def __enter__(self) -> "ProgressDisplay":
        """Start the display."""

    def __exit__(self, *failure: object) -> None:
        """End the display; its last update stays visible."""

    def show(self, snapshot: TaskSnapshot) -> None:
        """Update the display."""


class LineDisplay:
    """Writes a line for every change, for logs and pipes."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._known: dict[str, str] = {}
        self._hint = ""

    def __enter__(self) -> "LineDisplay":
        return self

    def __exit__(self, *failure: object) -> None:
        self._out.flush()

    def show(self, snapshot: TaskSnapshot) -> None:
        """Write a line for each changed sub-task, and the hint if it is another one."""
        for each in snapshot.details:
            if self._known.get(each.key) != each.status:
                self._known[each.key] = each.status
                self._out.write(_line(each))
        if (now := hint(snapshot)) != self._hint and now:
            self._out.write(now)
        self._hint = now
        self._out.flush()


def _line(each: SubTaskResult) -> str:
    why = f" ({each.error})" if each.error else ""
    used = f", {each.tokens:,} tokens" if each.status in _ENDED and each.attempts else ""
    return without_control_characters(f"{each.position} {each.name}: {each.status}{used}{why}")


class LiveDisplay:
    """Redraws a table with bars and spinners, for terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        # Kept, because a new spinner would start at its first frame.
        self._spinners: dict[str, Spinner] = {}

    def __enter__(self) -> "LiveDisplay":
        self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._live.stop()

    def show(self, snapshot: TaskSnapshot) -> None:
        """Draw the sub-tasks, the totals and the hint."""
        now = timezone.now()
        lines = self._details_that_fit(snapshot.details)
        blocks: list[RenderableType] = [self._lines(lines, now)]
        if more := len(snapshot.details) - len(lines):
            blocks.append(Text(f"  … and {more:,} more", style="dim"))
        blocks.append(_totals(snapshot, now))
        if advice := hint(snapshot):
            blocks.append(Text(advice, style="yellow"))
        self._live.update(Group(*blocks))

    def _details_that_fit(self, details: list[SubTaskResult]) -> list[SubTaskResult]:
        """As many as fit on the terminal, in order of position; running and failed ones first."""
        room = max(self._console.height - _OTHER_LINES, 3)
        if len(details) <= room:
            return details
        rank = {"running": 0, "failed": 1, "gated": 2, "waiting": 3}
        best = sorted(details, key=lambda each: (rank.get(each.status, 4), each.position))
        return sorted(best[:room], key=lambda each: each.position)

    def _lines(self, details: list[SubTaskResult], now: datetime) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=2)
        table.add_column(justify="right")
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column()
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=7)
        table.expand = True
        for each in details:
            table.add_row(*self._row(each, now))
        return table

    def _row(self, each: SubTaskResult, now: datetime) -> tuple[RenderableType, ...]:
        mark, style = _MARKS.get(each.status, ("", "cyan"))
        icon = Text(f" {mark}", style=style) if mark else self._spinner(each.key)
        name = Text(without_control_characters(each.name))
        if each.error:
            name.append(f"  {without_control_characters(each.error)}", style="red")
        tokens = f"{each.tokens:,} of {each.share:,}"
        seconds = each.seconds(now)
        took = "" if seconds is None else f"{seconds:.1f} s"
        return icon, str(each.position), name, Text(each.status, style=style), tokens, took

    def _spinner(self, key: str) -> Spinner:
        return self._spinners.setdefault(key, Spinner("dots", style="cyan"))


def _totals(snapshot: TaskSnapshot, now: datetime) -> Table:
    progress, counts = snapshot.progress, snapshot.counts
    task = progress.task
    table = Table.grid(padding=(0, 1))
    ended = counts.succeeded + counts.failed + counts.cancelled
    took = ((task.ended_at or now) - task.created_at).total_seconds()
    bar = ProgressBar(total=max(counts.total, 1), completed=ended, width=30)
    table.add_row("", "")
    table.add_row(" sub-tasks", bar, f"{counts.summary}, {took:.1f} s")
    budget_bar = ProgressBar(total=task.budget, completed=progress.used, width=30)
    lent = f", {progress.lent:,} lent" if progress.lent else ""
    words = (
        f"{progress.used:,} of {task.budget:,} tokens{lent}, {formatting.dollars(progress.cost)}"
    )
    table.add_row(" budget", budget_bar, words)
    return table
