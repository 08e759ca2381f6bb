"""`manage.py load_demo_usage`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import demo_usage


class Command(BaseCommand):
    """Import 60 days of made-up usage of the demo fleet into empty books."""

    help = (
        "Import 60 days of made-up usage of the demo fleet, with past limit windows, alerts and "
        "adjustments. If any call was ever made, nothing is changed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the usage, then print how many charges that are."""
        with refusals_as_command_errors():
            charges = demo_usage.load(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"Imported {charges:,} charges.")
