"""`manage.py export_state DIR`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from interchange import services as interchange
from interchange.management.progress import progress
from keys.models import Charge


class Command(BaseCommand):
    """Write the state as state files, without secrets."""

    help = (
        "Write token-manager-state.json and api-keys.json, for import_state, into a folder. "
        "The files contain no secrets. They show one moment; agents spend on while the command "
        "reads."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the folder."""
        parser.add_argument(
            "folder", type=Path, metavar="DIR", help="The folder, created if missing."
        )

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        """Write both files as of one moment; progress goes to stderr."""
        calls = Charge.objects.count()
        try:
            with progress(self.stderr, "Entries", total=calls) as written:
                paths = interchange.export_state(folder, now=timezone.now(), progress=written)
        except OSError as error:
            raise CommandError(
                f"The files cannot be written into {folder}: {error.strerror}."
            ) from None
        for path in paths:
            self.stdout.write(str(path))
