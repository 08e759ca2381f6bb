"""`manage.py import_provider_report PROVIDER FORMAT FILE`."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from common.commands import read_file, refusals_as_command_errors
from security.actor import Actor
from treasury import services as treasury
from treasury.reconciliation.reports import BYTES_MAX, FORMATS
from treasury.services import ReportFile


class Command(BaseCommand):
    """Import a report of a provider completely, or nothing."""

    help = (
        "Import a report of usage or cost that a provider gave, of at most 50 MB, completely or "
        "not at all. Importing the same file again changes nothing. A later report of a day "
        "replaces the earlier ones of the same format when both sides are compared."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the provider, the format, the file and the columns."""
        parser.add_argument("provider", help="The name of the provider, such as openai.")
        parser.add_argument("format", choices=list(FORMATS), help="How the file is read.")
        parser.add_argument("file", type=Path, help="The path of the file.")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="FIELD=HEADING",
            help="Of a CSV file: the heading of a field (day, key, model, kind, quantity, amount, "
            "currency, request_id) that has another name there. Can be repeated.",
        )
        parser.add_argument(
            "--fetched-at",
            type=datetime.fromisoformat,
            help="When the provider gave the report, with its zone. Default: now.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read and import the file, then print what was imported."""
        columns = dict(each.partition("=")[::2] for each in options["column"])
        fetched_at = options["fetched_at"]
        if fetched_at is not None and fetched_at.tzinfo is None:
            raise CommandError("Give the zone of --fetched-at, such as 2026-03-10T12:00+00:00.")
        content = read_file(options["file"], most=BYTES_MAX + 1)
        file = ReportFile(
            provider=options["provider"],
            format=options["format"],
            content=content,
            columns=columns,
            name=options["file"].name,
        )
        with refusals_as_command_errors():
            report, is_new = treasury.import_report(
                file, fetched_at=fetched_at, actor=Actor.command_line(), now=timezone.now()
            )
        if not is_new:
            self.stdout.write(f"This is report {report.pk} already. Nothing was changed.")
            return
        self.stdout.write(
            f"Report {report.pk}: {report.line_count} lines from {report.since} to {report.until}."
        )
