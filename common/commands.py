"""What commands share: how a refusal reaches the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from common.refusal import Refusal


@contextmanager
def refusals_as_command_errors(*, exit_code: int = 1) -> Iterator[None]:
    """Turn a refusal into a CommandError with its sentence and `exit_code`, without a traceback."""
    try:
        yield
    except Refusal as refusal:
        raise CommandError(refusal.detail, returncode=exit_code) from refusal
