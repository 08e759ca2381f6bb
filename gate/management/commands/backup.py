"""`manage.py backup`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import file_errors_as_command_errors, refusals_as_command_errors
from gate import services
from gate.backup.passphrase import add_key_file, passphrase_of
from security.actor import Actor


class Command(BaseCommand):
    """Back up the database, and the vault to another place."""

    help = (
        "Write an encrypted backup of the database to a folder, and of the vault's keys to another "
        "one. With both and the key file, every secret can be read: keep the three apart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the folders, the key file and how many backups stay."""
        parser.add_argument("folder", type=Path, help="Where the backup of the database goes.")
        parser.add_argument(
            "--vault-folder", type=Path, help="Where the backup of the vault's keys goes, apart."
        )
        parser.add_argument(
            "--keep", type=int, default=14, help="How many backups stay in each folder; default 14."
        )
        add_key_file(parser)

    def handle(
        self,
        *args: Any,
        folder: Path,
        vault_folder: Path | None,
        keep: int,
        key_file: Path | None,
        **options: Any,
    ) -> None:
        """Write the backups and say where they are."""
        if keep < 1:
            raise CommandError("Keep one backup or more.")
        if vault_folder and vault_folder.resolve() == folder.resolve():
            raise CommandError("Write the vault's keys to another folder than the database.")
        how: dict[str, Any] = {"keep": keep, "passphrase": passphrase_of(key_file)}
        with refusals_as_command_errors(), file_errors_as_command_errors():
            now = timezone.now()
            path, manifest = services.back_up(folder, actor=Actor.command_line(), now=now, **how)
            rows = sum(manifest["tables"].values())
            self.stdout.write(f"{path}: {rows:,} rows of {len(manifest['tables'])} tables.")
            if vault_folder:
                kept = services.back_up_vault(vault_folder, now=now, **how)
                self.stdout.write(
                    f"{kept}: the vault's keys."
                    if kept
                    else "The vault's keys are in the environment: keep them yourself."
                )
