"""What every runner can do, and what it is told and answers."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt, as its runner needs to know it.

    `session_id` is unique for ever and names the child: a spawn that is repeated with it must find
    the child it made before. `token` is the secret of the attempt's allocation, good for the
    gateway at `gateway_url` (with /v1; Anthropic's clients take it without) until `tokens` are
    used. `wire_format`: what the allocation's key speaks. `label`: `butler-<task name>`.
    `seconds`: how long it may run from now on. `again`: somebody else may have spawned it before.
    """

    session_id: str
    label: str
    prompt: str
    runner: str
    model: str
    wire_format: str
    tokens: int
    seconds: float
    gateway_url: str
    token: str = field(repr=False)
    allocation_id: int = 0
    thinking: str = "high"
    again: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt that succeeded. `facts` are for people who look (JSON)."""

    text: str
    facts: dict[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """The attempt came to nothing.

    `kind` is a stable word (see KINDS), `says` one sentence for people without secrets,
    `retry_after` seconds that somebody asked to wait.
    """

    def __init__(self, kind: str, says: str, *, retry_after: float | None = None) -> None:
        super().__init__(says)
        if kind not in KINDS:
            raise ValueError(f"{kind} is no kind of failure")
        self.kind, self.says, self.retry_after = kind, says, retry_after


@dataclass(frozen=True, slots=True)
class Kind:
    """What follows from a kind of failure: whether another attempt may succeed, and whether it is
    the sub-agent's failure (a retry) or not (a recovery, or mere waiting)."""

    says: str
    retryable: bool = True
    counts_as: str = "retry"


KINDS = {
    "failed": Kind("the sub-agent failed"),
    "timeout": Kind("it ran longer than it may"),
    "rate_limited": Kind("the provider, or its key's pace, asked to wait", counts_as="wait"),
    "provider_error": Kind("the provider failed"),
    "unreachable": Kind("gateway or runner could not be reached"),
    "unusable_answer": Kind("the answer is empty or not of the form asked for"),
    "budget_exhausted": Kind("its share of the budget is used up"),
    "refused": Kind("the provider or Butler refused the request as it is", retryable=False),
    "misconfigured": Kind("the runner is not set up", retryable=False),
    "lost": Kind("its worker died and nobody can say what became of it", counts_as="recovery"),
    "no_capacity": Kind("no key, limit or slot has room now", counts_as="wait"),
    "quarantined": Kind("its workers died again and again", retryable=False),
    "waited_too_long": Kind("it waited longer than it may", retryable=False),
    "task_timeout": Kind("the task ran longer than it may", retryable=False),
    "dependency_failed": Kind("what it depends on failed", retryable=False),
    "cancelled": Kind("somebody cancelled it", retryable=False),
}


class Runner(Protocol):
    """Carries attempts out; one file each. One instance serves all attempts of a worker process,
    in its event loop, so nothing here may block.
    """

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Start the child, or find it if `work.session_id` has one; its handle (JSON, kept in the
        attempt's row, no secrets). Raises Failed."""

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether the child has ended; waits for it up to `seconds`. Raises Failed."""

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """What came of a child that has ended. Raises Failed."""

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """See to it that the child does nothing more; one that is not there or over is fine.
        `handle` is None when nobody knows whether one was spawned."""

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """The attempt is over, or somebody else's now: free what this process keeps for it. The
        child is only touched if it cannot live without this process."""

    async def close(self) -> None:
        """The worker stops."""
