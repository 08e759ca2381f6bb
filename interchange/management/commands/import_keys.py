"""`manage.py import_keys FILE [--apply]`: API keys from a CSV, JSON or .env file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from common.commands import read_file, refusals_as_command_errors
from interchange import services as interchange
from interchange.services import KeyOutcome, KeyResult
from security.actor import Actor

_MARKS = {
    KeyOutcome.NEW: "new",
    KeyOutcome.EXISTS: "there",
    KeyOutcome.WRONG: "WRONG",
    KeyOutcome.LEFT_OUT: "no key",
}
_STANDARD_INPUT = Path("-")


class Command(BaseCommand):
    """Add the API keys of a list that are not there yet, or say what would be added."""

    help = (
        "Add the API keys of a file: CSV with a head, JSON (a list of objects), or .env with lines "
        "such as OPENAI_API_KEY=…. Without --apply nothing is written: each key is checked and "
        f"listed. Columns: {', '.join(interchange.KEY_COLUMNS)}. Costs are in US dollars per 1,000 "
        "tokens; a limit may be none. Keys that are there already stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the file, and what counts for keys that do not say it."""
        add = parser.add_argument
        add("file", type=Path, help="The path of the file, or - for standard input.")
        add("--apply", action="store_true", help="Add the keys. Without it, they are only checked.")
        add(
            "--model",
            action="append",
            default=[],
            metavar="PROVIDER=MODEL",
            help="The model of a provider's keys that name none. The option can be repeated.",
        )
        add(
            "--tokens-per-day",
            metavar="N",
            help="The limit of keys that name none: a number, or none.",
        )
        add("--zone", help="The IANA time zone of limits that name none. The default is UTC.")

    @sensitive_variables("entries")
    def handle(self, *, file: Path, apply: bool, **options: Any) -> None:
        """Read the file, then print a line for each key."""
        with refusals_as_command_errors():
            entries = interchange.read_key_list(_content(file), file=file.name)
            results = interchange.import_keys(
                entries,
                defaults=interchange.KeyDefaults(
                    models=interchange.model_by_provider(options["model"]),
                    tokens_per_day=options["tokens_per_day"] or "",
                    zone=options["zone"] or "",
                ),
                dry_run=not apply,
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        for result in results:
            self.stdout.write(_line(result))
        found = interchange.counts(results)
        if found[KeyOutcome.WRONG]:
            raise CommandError(
                f"{found[KeyOutcome.WRONG]} of {len(results)} keys are wrong. Nothing was added."
            )
        left = found[KeyOutcome.LEFT_OUT]
        there = f"; {found[KeyOutcome.EXISTS]} were there already" * bool(found[KeyOutcome.EXISTS])
        there += f"; {left} entries were left out, which do not look like API keys" * bool(left)
        if apply:
            self.stdout.write(f"Added {found[KeyOutcome.NEW]} keys{there}.")
        else:
            self.stdout.write(
                f"{found[KeyOutcome.NEW]} keys would be added{there}. Nothing was written: repeat "
                "the command with --apply."
            )


def _line(result: KeyResult) -> str:
    text = f"line {result.line:<5} {_MARKS[result.outcome]:<6} {result.key_id or '-':<24} "
    return f"{text}{result.provider or '-'} {result.model or '-'}  {result.detail}".rstrip()


@sensitive_variables()
def _content(file: Path) -> bytes:
    most = interchange.KEY_LIST_BYTES_MAX + 1
    return sys.stdin.buffer.read(most) if file == _STANDARD_INPUT else read_file(file, most=most)
