"""`manage.py gate`: the secret scanner."""

import sys

from django.core.management.base import BaseCommand

from security.scanner.cli import USAGE, main


class Command(BaseCommand):
    """Pass the command line on to the scanner, which reads it by itself."""

    help = USAGE

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the scanner and end with its exit code."""
        sys.exit(main(argv[2:]))
