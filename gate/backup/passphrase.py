"""The secret under which backups are encrypted: a key file, or a passphrase typed by a person."""

import sys
from getpass import getpass
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

_BYTES_MIN = 16


def add_key_file(parser: CommandParser) -> None:
    """Add the option `--key-file`."""
    parser.add_argument(
        "--key-file",
        type=Path,
        help="A file whose content encrypts the backup; without it, a passphrase is asked for.",
    )


def passphrase_of(key_file: Path | None) -> bytes:
    """The content of the file, or what a person types. CommandError if it is too short."""
    if key_file is None and not sys.stdin.isatty():
        raise CommandError("Use --key-file where nobody can type a passphrase.")
    try:
        secret = key_file.read_bytes().strip() if key_file else getpass("Passphrase: ").encode()
    except OSError as error:
        raise CommandError(f"The key file cannot be read: {error}") from error
    if len(secret) < _BYTES_MIN:
        raise CommandError(f"Use {_BYTES_MIN} characters or more.")
    return secret
