"""`manage.py seed_charges --charges 10000000`."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import seeded_usage
from interchange.management.progress import progress


class Command(BaseCommand):
    """Fill the books with made-up charges of a fleet of their own, for benchmarks and demos."""

    help = (
        "Write made-up closed sessions with about so many charges, over the past year, with their "
        "slices, days and limit windows. They belong to a fleet of their own: the cost centre seed "
        "and all below it, 50 agents, 6 sandbox keys. The books balance after each batch, so "
        "Ctrl-C does no harm. Charges can never be deleted: on a database with usage of real API "
        "keys the command is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define how many charges."""
        parser.add_argument("--charges", type=int, default=1_000_000, help="About how many.")
        parser.add_argument("--days", type=int, default=365, help="Over how many days until now.")
        parser.add_argument(
            "--beside-real-usage",
            action="store_true",
            help="Write them although the database has usage of real API keys.",
        )

    def handle(
        self, *args: Any, charges: int, days: int, beside_real_usage: bool, **options: Any
    ) -> None:
        """Import batches, then print how many charges that were and how long it took."""
        if charges < 1 or days < 1:
            raise CommandError("Use 1 or more charges and days.")
        if not beside_real_usage and seeded_usage.has_real_usage():
            raise CommandError(
                "This database has usage of real API keys, and made-up charges can never be "
                "deleted from it. Use an empty database, or --beside-real-usage if you are sure."
            )
        began, imported = time.monotonic(), 0
        with refusals_as_command_errors(), progress(self.stdout, "Charges", total=charges) as done:
            for batch in seeded_usage.seed(charges=charges, days=days, now=timezone.now()):
                imported += batch
                done(batch)
        with connection.cursor() as cursor:
            # So that PostgreSQL plans with the new sizes at once.
            cursor.execute("VACUUM (ANALYZE)")
        took = time.monotonic() - began
        self.stdout.write(
            f"Imported {imported:,} charges in {took:,.0f} s ({imported / took:,.0f} a second).\n"
            "The audit chain has not sealed them yet: manage.py seal_audit does."
        )
