"""`manage.py import_rail_statement ACCOUNT FORMAT FILE`."""

from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import read_file, refusals_as_command_errors
from security.actor import Actor
from treasury import services as treasury
from treasury.rail_statements import BYTES_MAX, FORMATS
from treasury.services import RailStatementFile


class Command(BaseCommand):
    """Import a statement of a rail or bank completely, or nothing."""

    help = (
        "Import a statement of a rail or bank of at most 10 MB, completely or not at all, and "
        "match its lines with the ledger. The same file, and days that another statement has, are "
        "refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the account, the format, the file, its columns and balances."""
        parser.add_argument("account", help="The account of the ledger, such as rail:bank.")
        parser.add_argument("format", choices=list(FORMATS), help="How the file is read.")
        parser.add_argument("file", type=Path, help="The path of the file.")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="FIELD=HEADING",
            help="Of a CSV file: the heading of a field (day, amount, net, balance, currency, "
            "kind, reference, their_reference, description) that has another name there. Can be "
            "repeated.",
        )
        parser.add_argument(
            "--opening", type=_amount, help="The balance before the file, if it tells none."
        )
        parser.add_argument(
            "--closing", type=_amount, help="The balance after the file, if it tells none."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read and import the file, then print what was imported."""
        columns = dict(each.partition("=")[::2] for each in options["column"])
        content = read_file(options["file"], most=BYTES_MAX + 1)
        file = RailStatementFile(
            account=options["account"],
            format=options["format"],
            content=content,
            columns=columns,
            opening=options["opening"],
            closing=options["closing"],
            name=options["file"].name,
        )
        with refusals_as_command_errors():
            statement, count = treasury.import_rail_statement(
                file, actor=Actor.command_line(), now=timezone.now()
            )
        self.stdout.write(
            f"Statement {statement.pk}: {statement.line_count} lines from {statement.since} to "
            f"{statement.until}. Open differences of the account: {count}."
        )


def _amount(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"{text} is not an amount") from None
    if not found.is_finite():
        raise ArgumentTypeError(f"{text} is not an amount")
    return found
