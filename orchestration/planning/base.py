"""What a plan is made of."""

from dataclasses import dataclass, replace
from typing import Protocol

# How much of the budget a sub-task gets, as a factor of its estimate.
WEIGHTS = {"low": 0.5, "medium": 1.0, "high": 1.5, "critical": 2.0}
ESTIMATE_MIN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A sub-task as planned: pure values, no row yet.

    `key` names it within its plan (`depends_on` holds such keys); `description` is what its
    sub-agent is told; `estimated_tokens` is what it will need, input and output. What is empty is
    decided later: `runner`, `model` and `provider` by the task.
    """

    key: str
    name: str
    description: str
    estimated_tokens: int = ESTIMATE_MIN
    priority: str = "medium"
    depends_on: tuple[str, ...] = ()
    runner: str = ""
    model: str = ""
    provider: str = ""
    needs_approval: bool = False

    def after(self, *keys: str) -> "Part":
        """The same part, waiting for these."""
        return replace(self, depends_on=keys)


class Planner(Protocol):
    """Takes a description apart."""

    def __call__(self, description: str, *, parallel: bool) -> list[Part]:
        """The parts, in an order in which they can be done. Refusal: WrongPlan."""
