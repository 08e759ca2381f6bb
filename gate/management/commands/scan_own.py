"""`manage.py scan_own PATH… [--report]`."""

import os
import sys
from collections.abc import Iterator
from itertools import chain

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gate import services
from keys.own_secrets import OwnSecret, OwnSecrets
from security.actor import Actor
from security.scanner import scan, texts


class Command(BaseCommand):
    """Look for Butler's own secrets in files, with certainty and without their form."""

    help = (
        "Look for secrets that Butler holds in files and folders: keys of providers, URLs of "
        "channels, tokens. The exit code is 1 if one is found. With --report each is recorded as "
        "a finding, and a key of a provider is frozen."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define where to look, and whether to record what is found."""
        parser.add_argument("paths", nargs="+", metavar="PATH", help="A file or a folder.")
        parser.add_argument(
            "--report", action="store_true", help="Record what is found, and freeze leaked keys."
        )

    def handle(self, *, paths: list[str], report: bool, **options: object) -> None:
        """Print each secret by its place and whose it is."""
        if missing := [path for path in paths if not os.path.exists(path)]:
            raise CommandError(f"There is no {missing[0]}.")
        own, is_clean = OwnSecrets(), True
        for file, secret in _found(own, paths):
            is_clean = False
            self.stdout.write(f"{file}:{secret.line} the secret of {secret.subject}")
            if report:
                services.report_leak(
                    secret.subject,
                    path=file,
                    line=secret.line,
                    actor=Actor.command_line(),
                    now=timezone.now(),
                )
        if not is_clean:
            sys.exit(1)


def _found(own: OwnSecrets, paths: list[str]) -> Iterator[tuple[str, OwnSecret]]:
    for file in filter(os.path.isfile, chain.from_iterable(map(scan.files_below, paths))):
        with open(file, "rb") as stream:
            for first_line, text in texts.windows(stream):
                for secret in own.find(text):
                    yield file, secret._replace(line=first_line + secret.line - 1)
