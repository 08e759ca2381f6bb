"""`manage.py import_exchange_rates FILE`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.commands import refusals_as_command_errors
from security.actor import Actor
from treasury import services as treasury
from treasury.exchange.ecb import BYTES_MAX


class Command(BaseCommand):
    """Import reference rates of the European Central Bank completely, or nothing."""

    help = (
        "Import the reference rates of the European Central Bank: eurofxref-daily.xml, "
        "eurofxref.csv or eurofxref-hist.csv, of at most 10 MB. Rates that are known stay; one "
        "that differs is corrected by a newer row."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the file."""
        parser.add_argument("file", type=Path, help="The path of the file, unpacked.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read and import the file, then print how many rates there were."""
        try:
            with options["file"].open("rb") as file:
                content = file.read(BYTES_MAX + 1)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        with refusals_as_command_errors():
            done = treasury.import_rates(content, actor=Actor.command_line(), now=timezone.now())
        self.stdout.write(
            f"Rates: {done.new} new, {done.corrected} corrected, {done.known} known already."
        )
