"""`manage.py seal_audit`."""

from contextlib import suppress

from django.core.management.base import BaseCommand

from security.audit_chain import sealer


class Command(BaseCommand):
    """Seal what is written into the audit chain."""

    help = "Seal audit entries, charges and what else is audited, until SIGTERM or Ctrl-C."

    def handle(self, *args: object, **options: object) -> None:
        """Seal until the process is ended."""
        with suppress(KeyboardInterrupt):
            sealer.run()
