"""The protocol of runners, with its input, its output and the kinds of failure."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt, as its runner needs it.

    `session_id`: unique name of the child, which is the model call, process or session that does
    the work. A repeated spawn with the same name must find the existing child. `token`: the
    session token for the gateway at `gateway_url` (with /v1; Anthropic's clients expect it
    without), valid until `tokens` are used. `wire_format`: the one that the API key supports.
    `label`: `butler-<task name>`. `seconds`: how long it may still run. `again`: another worker may
    have spawned the child before.
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
    """The result of an attempt that succeeded. `facts`: details for debugging (JSON)."""

    text: str
    facts: dict[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """The attempt failed.

    `kind`: a key of KINDS. `says`: one sentence for people, without secrets. `retry_after`:
    seconds that a provider asked to wait.
    """

    def __init__(self, kind: str, says: str, *, retry_after: float | None = None) -> None:
        super().__init__(says)
        if kind not in KINDS:
            raise ValueError(f"unknown kind of failure: {kind}")
        self.kind, self.says, self.retry_after = kind, says, retry_after


@dataclass(frozen=True, slots=True)
class Kind:
    """What follows from a kind of failure.

    `retryable`: whether another attempt may succeed. `counts_as`: a `retry` if the sub-agent
    failed, a `recovery` if its worker was lost, a `wait` if the attempt could not start.
    """

    says: str
    retryable: bool = True
    counts_as: str = "retry"


KINDS = {
    "failed": Kind("the sub-agent failed"),
    "timeout": Kind("the attempt exceeded its time limit"),
    "rate_limited": Kind(
        "the provider or the rate limit of the API key asked to wait", counts_as="wait"
    ),
    "provider_error": Kind("the provider failed"),
    "unreachable": Kind("the gateway or the runner could not be reached"),
    "unusable_answer": Kind("the answer is empty or not in the requested format"),
    "budget_exhausted": Kind("its share of the budget is used up"),
    "refused": Kind("the provider or Butler refused the request", retryable=False),
    "misconfigured": Kind("the runner is not configured", retryable=False),
    "lost": Kind("its worker was lost, and its outcome is unknown", counts_as="recovery"),
    "no_capacity": Kind("no API key, limit or slot has room now", counts_as="wait"),
    "no_place": Kind("a concurrency limit has no room now", counts_as="wait"),
    "quarantined": Kind("its workers died repeatedly", retryable=False),
    "waited_too_long": Kind("the sub-task waited too long to start", retryable=False),
    "task_timeout": Kind("the task exceeded its time limit", retryable=False),
    "dependency_failed": Kind("a sub-task that it depends on failed", retryable=False),
    "approval_refused": Kind("a person refused its approval", retryable=False),
    "approval_expired": Kind("it was not approved in time", retryable=False),
    "skipped": Kind("it was skipped", retryable=False),
    "cancelled": Kind("it was cancelled", retryable=False),
}
# Those with which a sub-task waits for something that is not its own.
WAITS = [slug for slug, kind in KINDS.items() if kind.counts_as == "wait"]


class Runner(Protocol):
    """Carries attempts out. One instance serves all attempts of a worker process.

    Its methods run in the event loop of the worker, so they must not block.
    """

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Start the child, or find the existing one of `work.session_id`.

        Returns the handle that finds it again: JSON without secrets, kept in the attempt's row.
        Raises Failed.
        """

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether the child has ended; waits for it up to `seconds`. Raises Failed."""

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """The result of a child that has ended. Raises Failed."""

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Stop the child, if there is one and it has not ended.

        `handle` is None when it is unknown whether a child was spawned.
        """

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Free what this process keeps for an attempt that has ended or was taken over.

        The child itself is stopped only if it cannot continue without this process.
        """

    async def close(self) -> None:
        """Free everything that this process keeps, because the worker stops."""
