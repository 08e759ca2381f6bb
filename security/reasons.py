"""The reason that a person gives for what it changes."""

from security.refusals import ReasonMissing

REASON_MAX = 300


def check_reason(reason: str) -> None:
    """Refuse an empty or overlong reason. Refusals: ReasonMissing."""
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise ReasonMissing(characters_max=REASON_MAX)
