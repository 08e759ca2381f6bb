"""`manage.py export_state DIR`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from interchange import services as interchange
from interchange.state_files import files


class Command(BaseCommand):
    """Write the state as state files, without secrets."""

    help = (
        "Write token-manager-state.json and api-keys.json, for import_state, into a folder. "
        "The files contain no secrets. Agents cannot spend while the command reads the state."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the folder."""
        parser.add_argument(
            "folder", type=Path, metavar="DIR", help="The folder, created if missing."
        )

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        """Read the state at one moment, then write both files."""
        state, api_keys = interchange.export_state(now=timezone.now())
        try:
            for name, document in ((files.STATE_FILE, state), (files.KEYS_FILE, api_keys)):
                self.stdout.write(str(files.write(folder, name, document)))
        except OSError as error:
            raise CommandError(
                f"The files cannot be written into {folder}: {error.strerror}."
            ) from None
