"""Texts of children as they can be kept: without secrets."""

from orchestration.storable_text import storable
from security.redact import REDACTED, redact

_SAYS_CHARACTERS_MAX = 1_000


def sentence(text: str, *, secret: str) -> str:
    """What went wrong, for people: in one line, not long, without `secret` or any other."""
    # Cut last: half of a secret would not be recognised.
    line = " ".join(redact(storable(text), secrets=[secret]).split())
    if len(line) <= _SAYS_CHARACTERS_MAX:
        return line
    return line[: _SAYS_CHARACTERS_MAX - 1] + "…"


def without(text: str, *, secret: str) -> str:
    """The text without `secret`; all else stays as it is."""
    return text.replace(secret, REDACTED)
