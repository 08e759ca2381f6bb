"""`manage.py import_usage FILE [--apply]`: usage that another system recorded, from a CSV file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.commands import read_file, refusals_as_command_errors
from common.formatting import count
from interchange import services as interchange
from interchange.management.progress import stages
from interchange.services import UsageImport, UsageNames, UsageSource
from security.actor import Actor

_STANDARD_INPUT = Path("-")
_SHOWN = 20


class Command(BaseCommand):
    """Import usage from before Butler, or say what would be imported."""

    help = (
        "Import the usage that another system recorded, from a CSV file of at most 25 MB: a row "
        "for each call, or for the sums of each day. Without --apply nothing is written: each row "
        "is checked. Each row becomes a settled charge that is marked as imported; a row that was "
        f"imported before is left out. Columns: {', '.join(interchange.USAGE_FIELDS)}; those of "
        "usual exports are known. Costs are in US dollars."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the file, how it is read, and what its names are called in Butler."""
        add = parser.add_argument
        add("file", type=Path, help="The path of the file, or - for standard input.")
        add("--apply", action="store_true", help="Import the rows. Without it, they are checked.")
        add(
            "--zone",
            default="",
            help="The IANA time zone of days, and of times without one. The default is the "
            "reporting zone of the organisation.",
        )
        for option, form, text in (
            (
                "--column",
                "FIELD=HEADING",
                "The heading of a field that has another name in the file; decimal=comma and "
                "dates=day-first say how numbers and dates are written.",
            ),
            (
                "--key",
                "[NAME=]KEY",
                "The API key of rows that name none, or that name NAME or the provider NAME.",
            ),
            ("--agent", "[NAME=]AGENT", "The agent of rows that name none, or that name NAME."),
            (
                "--centre",
                "[NAME=]CENTRE",
                "The cost centre of rows that name NAME. Rows that name "
                "none are of the cost centre of their agent.",
            ),
        ):
            add(
                option,
                action="append",
                default=[],
                metavar=form,
                help=f"{text} The option can be repeated.",
            )

    def handle(self, *, file: Path, apply: bool, **options: Any) -> None:
        """Check the file, and import it if that is asked."""
        with refusals_as_command_errors(), stages(self.stdout) as begin:
            source = UsageSource(
                name=file.name,
                content=_content(file),
                columns=interchange.columns_from(options["column"]),
                names=UsageNames(
                    api_keys=interchange.names_of(options["key"]),
                    agents=interchange.names_of(options["agent"]),
                    cost_centres=interchange.names_of(options["centre"]),
                ),
                zone=options["zone"],
            )
            outcome = interchange.import_usage(
                source,
                dry_run=not apply,
                actor=Actor.command_line(),
                now=timezone.now(),
                begin=lambda rows: begin("Rows", rows),
            )
        for line in _lines(outcome):
            self.stdout.write(line)
        if outcome.problems:
            rows = sum(problem.rows for problem in outcome.problems)
            raise CommandError(f"{count(rows, 'row')} cannot be imported. Nothing was written.")
        if apply:
            self.stdout.write(f"Imported {count(outcome.new, 'row')}.")
        else:
            self.stdout.write("Nothing was written: repeat the command with --apply.")


def _lines(outcome: UsageImport) -> list[str]:
    """What was found, a line each."""
    lines = []
    if outcome.since and outcome.until:
        lines.append(
            f"{count(outcome.new, 'new row')} from {outcome.since:%Y-%m-%d} to "
            f"{outcome.until:%Y-%m-%d}: {outcome.tokens:,} tokens, {outcome.cost:,f} USD."
        )
    if outcome.priced:
        lines.append(
            f"{count(outcome.priced, 'row')} without a cost: at the present price of the API key."
        )
    if outcome.there:
        lines.append(f"{count(outcome.there, 'row')} imported before: left out.")
    if outcome.empty:
        lines.append(f"{count(outcome.empty, 'row')} without tokens and cost: left out.")
    if outcome.unread:
        lines.append(f"Columns that are not read: {', '.join(outcome.unread)[:300]}.")
    for where, problem, rows in outcome.problems[:_SHOWN]:
        more = f" ({count(rows, 'row')})" if rows > 1 else ""
        lines.append(f"{where}{more}: {problem}")
    if (hidden := len(outcome.problems) - _SHOWN) > 0:
        lines.append(f"… and {count(hidden, 'other problem')}.")
    return lines


def _content(file: Path) -> bytes:
    most = interchange.USAGE_BYTES_MAX + 1
    return sys.stdin.buffer.read(most) if file == _STANDARD_INPUT else read_file(file, most=most)
