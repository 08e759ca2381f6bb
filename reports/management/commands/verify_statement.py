"""`manage.py verify_statement FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports.models import MonthClose
from reports.statement_files import close_of
from security import signed_notes

_BYTES_MAX = 64 * 1024 * 1024


class Command(BaseCommand):
    """Say whether a statement is as Butler signed it."""

    help = "Say whether a signed statement is as Butler signed it. Exit code 1 if it is not."

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the file."""
        parser.add_argument("file", type=Path, metavar="FILE", help="The signed CSV file.")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Verify the file and say what it is a statement of."""
        try:
            text, key = signed_notes.verify(_content(file))
        except signed_notes.NotSigned as failure:
            raise CommandError(f"Tampered: {failure}") from failure
        except (OSError, signed_notes.CannotVerify) as failure:
            raise CommandError(str(failure)) from failure
        close = close_of(text)
        if close is None:
            raise CommandError("Tampered: what was signed is not a statement of this Butler.")
        self.stdout.write(f"Good: signed by {key}. {_standing(close)}")


def _content(file: Path) -> str:
    if file.stat().st_size > _BYTES_MAX:
        raise CommandError(f"{file} is too large for a statement.")
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        raise signed_notes.NotSigned("The file is not text in UTF-8.") from None


def _standing(close: MonthClose) -> str:
    if close.is_standing:
        return f"{close.name} is {close.status}."
    return f"{close.name} was opened again since, so the statement counts no more."
