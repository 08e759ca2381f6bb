"""Whether a session cannot pay for any call, before anything is known of the call."""

from datetime import datetime

from common.refusal import Refusal
from keys.models import Allocation
from keys.refusals import (
    AgentDisabled,
    AllocationClosed,
    AllocationExhausted,
    AllocationNotFound,
)

# The fewest tokens that a call needs if it needs any.
_NEEDED = 1


def refusal_of_any_call(
    allocation_id: int, *, spends: bool, idempotency_key: str | None, now: datetime
) -> Refusal | None:
    """What a hold for a call would be refused with, however little the call needs; None if it may
    be held, or a call was made with this key before.

    `spends`: whether the call costs tokens at all.
    """
    allocation = Allocation.objects.select_related("agent").filter(pk=allocation_id).first()
    if allocation is None:
        return AllocationNotFound(allocation_id=allocation_id)
    if idempotency_key and allocation.charges.filter(idempotency_key=idempotency_key).exists():
        return None
    if allocation.status != Allocation.Status.ACTIVE:
        return AllocationClosed(status=allocation.status, needed=_NEEDED, **allocation.budget)
    if allocation.expires_at <= now:
        expired = Allocation.Status.EXPIRED
        return AllocationClosed(status=expired, needed=_NEEDED, **allocation.budget)
    if allocation.agent.disabled_at:
        return AgentDisabled()
    # What is held may be free again by the time the call needs it.
    if spends and not allocation.left and not allocation.held:
        return AllocationExhausted(needed=_NEEDED, **allocation.budget)
    return None
