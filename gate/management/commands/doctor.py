"""`manage.py doctor`."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gate.doctor.checks import CHECKS
from gate.doctor.examination import Result, State, examine
from gate.doctor.network import providers


class Command(BaseCommand):
    """Look at the installation and say what to do."""

    help = (
        "Look at the installation: migrations, clocks, secrets, files, jobs, backups, the audit "
        "chain and freezes. Each line is ok, warning or failed, with what to do. The exit code is "
        "1 if a check failed. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the form of the output, and whether providers are contacted."""
        parser.add_argument("--json", action="store_true", help="Print the results as JSON.")
        parser.add_argument(
            "--network",
            action="store_true",
            help="Also connect to the providers of active API keys; nothing is sent.",
        )

    def handle(self, *args: Any, network: bool, **options: Any) -> None:
        """Run the checks and print the results."""
        results = examine([*CHECKS, *([providers] if network else [])], now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(result) for result in results], indent=2))
        else:
            self._print(results)
        if count := sum(result.state == State.FAILED for result in results):
            raise CommandError(f"Checks that failed: {count}.")

    def _print(self, results: list[Result]) -> None:
        for result in results:
            self.stdout.write(f"{result.state:<8} {result.check}: {result.says}")
            if result.remedy:
                self.stdout.write(f"{'':<8} {result.remedy}")
