"""`manage.py restore`."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from common.commands import file_errors_as_command_errors, refusals_as_command_errors
from gate import services
from gate.backup.passphrase import add_key_file, passphrase_of


class Command(BaseCommand):
    """Restore a backup into an empty database, and check it."""

    help = (
        "Restore a backup into an empty database, and check the books, the tasks and the audit "
        "chain. With --vault, restore the vault's key file first, where there is none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the files."""
        parser.add_argument("file", type=Path, help="The backup of the database.")
        parser.add_argument("--vault", type=Path, help="The backup of the vault's keys.")
        add_key_file(parser)

    def handle(
        self, *args: Any, file: Path, vault: Path | None, key_file: Path | None, **options: Any
    ) -> None:
        """Restore and check; exit code 1 if a check fails."""
        passphrase = passphrase_of(key_file)
        with refusals_as_command_errors(), file_errors_as_command_errors():
            if vault:
                # So that a second try, with the right file, finds nothing of this one.
                services.check_restore(file, passphrase=passphrase)
                services.restore_vault(vault, passphrase=passphrase)
                self.stdout.write("Restored the vault's keys.")
            manifest = services.restore(file, passphrase=passphrase)
        self.stdout.write(
            f"Restored the backup of {manifest['created_at']}: "
            f"{sum(manifest['tables'].values()):,} rows."
        )
        if services.is_of_earlier_version(manifest):
            self.stdout.write(
                "The backup is of an earlier version of Butler: run manage.py migrate, then "
                "check_books, check_tasks and audit verify."
            )
            return
        for check in (["check_books"], ["check_tasks"], ["audit", "verify"]):
            call_command(*check, stdout=self.stdout, stderr=self.stderr)
