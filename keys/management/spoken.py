"""What every command of the Token Manager shares: how a refusal reaches the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from common.refusal import Refusal

# Who did it, in the history.
WHO = "command line"


@contextmanager
def refusals_spoken() -> Iterator[None]:
    """A refusal becomes a CommandError with its sentence: exit code 1, no traceback."""
    try:
        yield
    except Refusal as refusal:
        raise CommandError(refusal.detail) from refusal
