"""Texts from sub-agents without secrets, so that they can be stored."""

from orchestration.storable_text import storable
from security.redact import REDACTED, redact

_SAYS_CHARACTERS_MAX = 1_000


def sentence(text: str, *, secret: str) -> str:
    """An error text for people: one line of at most 1,000 characters, without any secret."""
    # Cut last: half of a secret would not be recognized.
    line = " ".join(redact(storable(text), secrets=[secret]).split())
    if len(line) <= _SAYS_CHARACTERS_MAX:
        return line
    return line[: _SAYS_CHARACTERS_MAX - 1] + "…"


def without(text: str, *, secret: str) -> str:
    """The text without `secret`, otherwise unchanged."""
    return text.replace(secret, REDACTED)
