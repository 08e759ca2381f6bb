"""`manage.py restore`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.commands import file_errors_as_command_errors, refusals_as_command_errors
from gate import services
from gate.backup.passphrase import add_key_file, passphrase_of
from security import queries as security


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
        _require_readable_secrets()
        for check in (["check_books"], ["check_tasks"], ["audit", "verify"]):
            call_command(*check, stdout=self.stdout, stderr=self.stderr)


def _require_readable_secrets() -> None:
    """The audit chain would be called damaged, for it is signed with one of these."""
    models = dict.fromkeys(field.model for field in security.sealed_fields())
    if unreadable := sum(len(security.unsealable(model)) for model in models):
        raise CommandError(
            f"{unreadable} secrets of this backup cannot be read: they were sealed with other keys "
            "than this vault's. Restore again with --vault, into an empty database and where "
            f"{settings.VAULT_KEY_FILE} is not there, or put that Butler's key file there."
        )
