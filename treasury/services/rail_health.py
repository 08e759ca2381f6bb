"""Note whether the vendor of a rail answers as it should."""

from datetime import datetime

from treasury.models import RailAccount
from treasury.rails.base import Answer, Outcome

# Anything else is an answer by which one can go on.
_PROBLEMS = (Outcome.UNKNOWN, Outcome.REFUSED)


def note_answer(slug: str, answer: Answer, *, now: datetime) -> None:
    """Keep the last error of a rail, or forget it when the vendor answers well again.

    One statement, which writes only if something has changed; the simulator has no row.
    """
    is_problem = answer.outcome in _PROBLEMS and bool(answer.code or answer.message)
    error = ": ".join(filter(None, (answer.code, answer.message)))[:300] if is_problem else ""
    RailAccount.objects.filter(pk=slug).exclude(last_error=error).update(
        last_error=error, last_error_at=now if error else None
    )
