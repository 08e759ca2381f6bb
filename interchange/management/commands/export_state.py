"""`manage.py export_state DIR`."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from interchange import services as interchange
from interchange.state_files import files


class Command(BaseCommand):
    """Write the state as the seed's Token Manager has it; without secrets."""

    help = (
        "Write token-manager-state.json and api-keys.json, which import_state reads, into a folder "
        "(made if it is missing). Never with a secret. Nobody can spend while the state is read."
    )

    def add_arguments(self, parser):
        """Where to."""
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *, folder, **options):
        """Read the state at one moment, then write both files."""
        state, api_keys = interchange.exported_state(now=timezone.now())
        try:
            for name, document in ((files.STATE_FILE, state), (files.KEYS_FILE, api_keys)):
                self.stdout.write(str(files.write(folder, name, document)))
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}.") from None
