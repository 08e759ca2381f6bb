"""The reason that a person gives for what it changes."""

from keys.refusals import WrongValue
from security.reasons import REASON_MAX


def check_reason(reason: str) -> None:
    """Refuse an empty or overlong reason. Refusals: WrongValue."""
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise WrongValue(f"Give a reason of 1 to {REASON_MAX} characters.", field="reason")
