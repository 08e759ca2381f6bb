"""What kind of failure an attempt ends with when Butler refuses it: the one table.

A refusal raised in this process is looked up by its class; one that the gateway sent to a runner,
by its code. What is not in the table is `refused`: another attempt would be refused as well. The
kinds and what follows from each are in `runners.base.KINDS`.
"""

from common.refusal import Refusal
from gateway import refusals as gateway
from keys import refusals as keys
from orchestration import refusals as orchestration

KIND_OF_REFUSAL: dict[type[Refusal], str] = {
    # No allocation could be made.
    keys.NoKeyCapacity: "no_capacity",
    keys.LimitReached: "no_capacity",
    keys.Busy: "no_capacity",
    orchestration.RunnerNotFound: "misconfigured",
    # The allocation cannot pay for the call.
    keys.AllocationExhausted: "budget_exhausted",
    keys.AllocationClosed: "budget_exhausted",
    # The API key or its provider cannot serve the call.
    keys.RateLimited: "rate_limited",
    # Its other calls, those of its agent or the large ones of all end within seconds.
    keys.BudgetInFlight: "rate_limited",
    gateway.TooManyCalls: "rate_limited",
    gateway.TooManyLargeBodies: "rate_limited",
    gateway.ProviderUnreachable: "provider_error",
    gateway.AnswerLost: "provider_error",
    gateway.KeyUnusable: "provider_error",
    gateway.UnusableAnswer: "unusable_answer",
    keys.KeyFull: "rate_limited",
    # The request did not arrive in time.
    gateway.BodyTooSlow: "unreachable",
    # The call was made before, and its answer was not kept.
    gateway.AlreadyCalled: "lost",
    keys.IdempotencyMismatch: "lost",
}
_KIND_OF_CODE = {refusal.code: kind for refusal, kind in KIND_OF_REFUSAL.items()}


def kind_of(refusal: Refusal) -> str:
    """The kind of failure that a refusal becomes."""
    return KIND_OF_REFUSAL.get(type(refusal), "refused")


def kind_of_code(code: str) -> str | None:
    """The kind of failure for the code of a refusal; None for a code that is not in the table."""
    return _KIND_OF_CODE.get(code)
