"""What commands share: how a refusal reaches the terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from common.refusal import Refusal


@contextmanager
def file_errors_as_command_errors() -> Iterator[None]:
    """Turn an OSError of a file or folder into a CommandError that names it and says why."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise CommandError(f"{error.filename or 'A file'} cannot be used: {why}.") from error


@contextmanager
def refusals_as_command_errors(*, exit_code: int = 1) -> Iterator[None]:
    """Turn a refusal into a CommandError with its sentence and `exit_code`, without a traceback."""
    try:
        yield
    except Refusal as refusal:
        raise CommandError(refusal.detail, returncode=exit_code) from refusal


def read_file(path: Path, *, most: int) -> bytes:
    """The first `most` bytes of a file that a command was given; one more shows that it is larger.

    A file that cannot be read is a CommandError that says why.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
