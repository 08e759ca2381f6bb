"""How a running part stands beside its forecast."""

from typing import Literal

Outlook = Literal["", "above", "hopeless"]
# So much of a budget is used that is smaller than half of such work needs.
_NEARLY_USED = 0.9


def outlook_of(  # noqa: PLR0913  (figures, each by name)
    *, used: int, budget: int, p50: int, p90: int, p99: int, is_looping: bool
) -> Outlook:
    """Whether a part that has used so many tokens of its budget has left its forecast (`above`
    P90), or is hardly going to be finished (`hopeless`): it is above P99, its calls go round in a
    loop, or its budget is nearly used and was less than half of such work needs."""
    if is_looping or used > p99 or (budget < p50 and used >= _NEARLY_USED * budget):
        return "hopeless"
    return "above" if used > p90 else ""
