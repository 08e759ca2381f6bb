"""`manage.py replay TRACE.csv`: the main job on real input."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from common.commands import refusals_as_command_errors
from interchange.replay import traces
from interchange.replay.driver import Driver, Plan
from interchange.replay.report import mark, report
from keys import services as keys
from keys.models import Agent
from security.actor import Actor

_CENTRE = "replay"


def _from_to(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text.replace("_", ""))
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text} is not from {least:,} to {most:,}")
        return value

    return number


def _speed(text: str) -> float:
    speed = 0.0 if text == "max" else float(text)
    if not 0 <= speed <= 1e9:
        raise ArgumentTypeError(f"{text} is not 0 or more")
    return speed


class Command(BaseCommand):
    """Drive agents through allocate, report usage and complete as a real trace has it."""

    help = (
        "Replay a trace of LLM calls (CSV, also gzipped) against this Butler, and report what came "
        "of it; exit code 1 when the books do not balance. Its usage is booked at the wall clock, "
        "into the windows of today. Ctrl-C ends it with a report."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define what to replay and how."""
        add = parser.add_argument
        add("trace", type=Path, help="agent fleet (instance_id, step, …) or t_s, input, output")
        add("--speed", type=_speed, default=0.0, metavar="N|max", help="times real time (max)")
        add("--limit", type=_from_to(1, 10**9), metavar="CALLS", help="only the first calls")
        add("--agents", type=_from_to(1, 1000), default=10, help="agents (%(default)s)")
        add("--threads", type=_from_to(1, 64), default=4, help="at the same time (%(default)s)")
        add(
            "--budget",
            type=_from_to(1, 10**9),
            default=200_000,
            metavar="TOKENS",
            help="a session borrows so many tokens at a time, or twice its prompt (%(default)s)",
        )

    def handle(
        self,
        *args: Any,
        trace: Path,
        speed: float,
        limit: int | None,
        agents: int,
        threads: int,
        budget: int,
        **options: Any,
    ) -> None:
        """Read all of the trace, then replay it."""
        with refusals_as_command_errors():
            calls = traces.read(trace)[:limit]
            plan = Plan(agents=_agents(agents), threads=threads, budget=budget, speed=speed)
            since = mark()
            with self._progress(len(calls)) as on_call:
                tally = Driver(calls, plan, on_call=on_call).run()
        found = report(run=plan.run, tally=tally, since=since)
        self.stdout.write("\n".join(found.lines()))
        if found.broken:
            raise CommandError(f"The books are broken: {found.broken.check.name}.")

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[], None]]:
        if not self.stdout.isatty():
            yield lambda: None
            return
        columns = ("Calls", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=cast(IO[str], self.stdout._out))) as bar:
            task = bar.add_task("Calls", total=total)
            yield lambda: bar.advance(task)


def _agents(count: int) -> list[str]:
    """The agents `replay-1` …, made where they are missing."""
    names = [f"{_CENTRE}-{number}" for number in range(1, count + 1)]
    known = set(Agent.objects.filter(pk__in=names).values_list("pk", flat=True))
    for name in names:
        if name not in known:
            keys.create_agent_of(
                name, cost_centre=_CENTRE, actor=Actor.command_line(), now=timezone.now()
            )
    return names
