"""`manage.py import_state token-manager-state.json api-keys.json`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import services as interchange
from interchange.management.progress import stages
from interchange.state_files import files, streams
from security.actor import Actor


class Command(BaseCommand):
    """Import the state files of another Token Manager completely, or nothing."""

    help = (
        "Import token-manager-state.json and api-keys.json. If a value is wrong, nothing is "
        "imported and the message names the value. Keys without a secret (apiKey) are imported "
        "inactive. Importing the same files again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the paths of both files."""
        parser.add_argument("state", type=Path, help=f"The path of {files.STATE_FILE}.")
        parser.add_argument("api_keys", type=Path, help=f"The path of {files.KEYS_FILE}.")

    def handle(self, *args: Any, state: Path, api_keys: Path, **options: Any) -> None:
        """Read and import both files, then print how many rows were imported; progress goes to
        stderr."""
        try:
            with refusals_as_command_errors(), stages(self.stderr) as progress:
                result = interchange.import_state(
                    state=streams.read(state, tell=progress("Read", None)),
                    api_keys=files.read(api_keys),
                    actor=Actor.command_line(),
                    now=timezone.now(),
                    progress=progress,
                )
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was imported.", returncode=130) from None
        if result.again:
            self.stdout.write("These files were already imported. Nothing was changed.")
            return
        self.stdout.write(
            f"Imported {result.keys} API keys, {result.allocations} allocations, "
            f"{result.alerts} alerts and {result.history} entries of the history."
        )
        if result.without_secret:
            self.stdout.write(
                f"{result.without_secret} keys are inactive: they have no secret yet. Store their "
                "secrets, then switch them on."
            )
