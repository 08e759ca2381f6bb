"""`manage.py replay TRACE.csv`."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange.management.progress import progress
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
            raise ArgumentTypeError(f"use a number from {least:,} to {most:,}, not {text}")
        return value

    return number


def _speed(text: str) -> float:
    speed = 0.0 if text == "max" else float(text)
    if not 0 <= speed <= 1e9:
        raise ArgumentTypeError(f"use max or a number of 0 or more, not {text}")
    return speed


class Command(BaseCommand):
    """Replay a trace: agents allocate, report usage and complete as in the trace."""

    help = (
        "Replay a trace of LLM calls (CSV, also gzipped) against this Butler, and print a report. "
        "The exit code is 1 if the books do not balance. The usage counts at the time of the "
        "replay, in the current limit windows. Ctrl-C stops the replay and prints the report."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the trace and the pace of the replay."""
        add = parser.add_argument
        add(
            "trace", type=Path, help="The CSV file, with the columns instance_id, step, … or t_s, …"
        )
        add(
            "--speed",
            type=_speed,
            default=0.0,
            metavar="N|max",
            help="How many times faster than real time. The default is max.",
        )
        add(
            "--limit", type=_from_to(1, 10**9), metavar="CALLS", help="Replay only this many calls."
        )
        add(
            "--agents",
            type=_from_to(1, 1000),
            default=10,
            help="The number of agents. The default is %(default)s.",
        )
        add(
            "--threads",
            type=_from_to(1, 64),
            default=4,
            help="The number of threads. The default is %(default)s.",
        )
        add(
            "--budget",
            type=_from_to(1, 10**9),
            default=200_000,
            metavar="TOKENS",
            help="The tokens that a session allocates at a time, if that is more than twice its "
            "prompt. The default is %(default)s.",
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
        """Read the whole trace, then replay it."""
        with refusals_as_command_errors():
            calls = traces.read(trace)[:limit]
            plan = Plan(agents=_agents(agents), threads=threads, budget=budget, speed=speed)
            since = mark()
            with progress(self.stdout, "Calls", total=len(calls)) as done:
                tally = Driver(calls, plan, on_call=lambda: done(1)).run()
        outcome = report(run=plan.run, tally=tally, since=since)
        self.stdout.write("\n".join(outcome.lines()))
        if outcome.broken:
            raise CommandError(f"The books are broken: {outcome.broken.check.name}.")


def _agents(count: int) -> list[str]:
    """The names of `count` agents (`replay-1` and so on); missing agents are created."""
    names = [f"{_CENTRE}-{number}" for number in range(1, count + 1)]
    actor, now = Actor.command_line(), timezone.now()
    keys.ensure_cost_centre_below_root(_CENTRE, actor=actor, now=now)
    known = set(Agent.objects.filter(pk__in=names).values_list("pk", flat=True))
    for name in names:
        if name not in known:
            keys.create_agent_without_limits(name, cost_centre=_CENTRE, actor=actor, now=now)
    return names
