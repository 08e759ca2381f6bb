"""`manage.py import_state token-manager-state.json api-keys.json`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import services as interchange
from interchange.state_files import files
from security.actor import Actor


class Command(BaseCommand):
    """Import the state files of another Token Manager: all of them, or nothing."""

    help = (
        "Import token-manager-state.json and api-keys.json: all of them, or nothing and a sentence "
        "that says what is wrong where. Keys without a secret (apiKey) are imported inactive. The "
        "same files again change nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the paths of both files."""
        parser.add_argument("state", type=Path, help=files.STATE_FILE)
        parser.add_argument("api_keys", type=Path, help=files.KEYS_FILE)

    def handle(self, *args: Any, state: Path, api_keys: Path, **options: Any) -> None:
        """Read both, import them, say how much it was."""
        with refusals_as_command_errors():
            done = interchange.import_state(
                state=files.read(state),
                api_keys=files.read(api_keys),
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        if done.again:
            self.stdout.write("These files were imported before: nothing was changed.")
            return
        self.stdout.write(
            f"Imported {done.keys} API keys, {done.allocations} allocations, {done.alerts} alerts "
            f"and {done.history} entries of the history."
        )
        if done.without_secret:
            self.stdout.write(f"{done.without_secret} keys are inactive: they have no secret yet.")
