"""`manage.py load_demo_fleet`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import demo_fleet


class Command(BaseCommand):
    """Load the demo fleet. Existing rows stay as they are."""

    help = (
        "Load the demo fleet: 8 API keys of 6 providers with made-up secrets, a tree of cost "
        "centres and some agents with limits. Existing rows stay as they are."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Add the missing rows, then print how many were added."""
        with refusals_as_command_errors():
            added = demo_fleet.load(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"Added {added.keys} API keys and {added.agents} agents.")
