"""How `run_task` shows a task: live in a terminal, line by line elsewhere."""

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
from orchestration.management.task_watch import Look, hint
from orchestration.queries.results import Detail

# A terminal does what these tell it: what a model wrote must not move the cursor or turn lines.
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


def harmless(text: str) -> str:
    """Text that a terminal only shows."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class Screen(Protocol):
    """Shows looks."""

    def __enter__(self) -> "Screen":
        """Begin."""

    def __exit__(self, *failure: object) -> None:
        """Leave what was shown last."""

    def show(self, seen: Look) -> None:
        """Show it."""


class Plain:
    """One line for everything that changes, for logs and pipes."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._known: dict[str, str] = {}
        self._hint = ""

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *failure: object) -> None:
        self._out.flush()

    def show(self, seen: Look) -> None:
        """What is different now."""
        for each in seen.details:
            if self._known.get(each.key) != each.status:
                self._known[each.key] = each.status
                self._out.write(_line(each))
        if (now := hint(seen)) != self._hint and now:
            self._out.write(now)
        self._hint = now
        self._out.flush()


def _line(each: Detail) -> str:
    why = f" ({each.error})" if each.error else ""
    used = f", {each.tokens:,} tokens" if each.status in _ENDED and each.attempts else ""
    return harmless(f"{each.position} {each.name}: {each.status}{used}{why}")


class Rich:
    """Bars and spinners."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        # Kept, so that they turn on instead of beginning anew.
        self._spinners: dict[str, Spinner] = {}

    def __enter__(self) -> "Rich":
        self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._live.stop()

    def show(self, seen: Look) -> None:
        """The lines of the sub-tasks, all of it, the budget."""
        now = timezone.now()
        lines = self._details_that_fit(seen.details)
        blocks: list[RenderableType] = [self._lines(lines, now)]
        if more := len(seen.details) - len(lines):
            blocks.append(Text(f"  … and {more:,} more", style="dim"))
        blocks.append(_totals(seen, now))
        if advice := hint(seen):
            blocks.append(Text(advice, style="yellow"))
        self._live.update(Group(*blocks))

    def _details_that_fit(self, details: list[Detail]) -> list[Detail]:
        """As many as the terminal has lines for: what runs, then what failed, then the first."""
        room = max(self._console.height - _OTHER_LINES, 3)
        if len(details) <= room:
            return details
        rank = {"running": 0, "failed": 1, "gated": 2, "waiting": 3}
        best = sorted(details, key=lambda each: (rank.get(each.status, 4), each.position))
        return sorted(best[:room], key=lambda each: each.position)

    def _lines(self, details: list[Detail], now: datetime) -> Table:
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

    def _row(self, each: Detail, now: datetime) -> tuple[RenderableType, ...]:
        mark, style = _MARKS.get(each.status, ("", "cyan"))
        icon = Text(f" {mark}", style=style) if mark else self._spinner(each.key)
        name = Text(harmless(each.name))
        if each.error:
            name.append(f"  {harmless(each.error)}", style="red")
        tokens = f"{each.tokens:,} of {each.share:,}"
        seconds = each.seconds(now)
        took = "" if seconds is None else f"{seconds:.1f} s"
        return icon, str(each.position), name, Text(each.status, style=style), tokens, took

    def _spinner(self, key: str) -> Spinner:
        return self._spinners.setdefault(key, Spinner("dots", style="cyan"))


def _totals(seen: Look, now: datetime) -> Table:
    task, far, parts = seen.task, seen.far, seen.parts
    table = Table.grid(padding=(0, 1))
    ended = parts.succeeded + parts.failed + parts.cancelled
    took = ((task.ended_at or now) - task.created_at).total_seconds()
    bar = ProgressBar(total=max(parts.total, 1), completed=ended, width=30)
    table.add_row("", "")
    table.add_row(" sub-tasks", bar, f"{parts.words}, {took:.1f} s")
    spent = ProgressBar(total=task.budget, completed=far.used, width=30)
    lent = f", {far.lent:,} lent" if far.lent else ""
    words = f"{far.used:,} of {task.budget:,} tokens{lent}, {formatting.dollars(far.cost)}"
    table.add_row(" budget", spent, words)
    return table
