"""Every `no` of the Token Manager. Codes are stable; `butler_site.errors` gives each a status."""

from common.refusal import Refusal


class NoKeyCapacity(Refusal):
    """No API key has room: names the windows that lack, alternatives and the next reset."""

    code = "no_key_capacity"


class LimitReached(Refusal):
    """A limit of the agent or of a cost centre has no room: says which and until when."""

    code = "limit_reached"


class Busy(Refusal):
    """Others took the room each time; asking again may succeed."""

    code = "busy"


class IdempotencyMismatch(Refusal):
    """The idempotency key was used before, for another request."""

    code = "idempotency_mismatch"


class UnknownProvider(Refusal):
    """There is no such provider."""

    code = "unknown_provider"


class UnknownModel(Refusal):
    """No API key has this model."""

    code = "unknown_model"


class UnknownCostCentre(Refusal):
    """There is no such cost centre, or it is not the agent's own or below it."""

    code = "unknown_cost_centre"


class UnknownAgent(Refusal):
    """There is no such agent."""

    code = "unknown_agent"


class UnknownKey(Refusal):
    """There is no such API key."""

    code = "unknown_key"


class UnknownAllocation(Refusal):
    """There is no such allocation, or it is another agent's."""

    code = "unknown_allocation"


class UnknownCharge(Refusal):
    """There is no such charge, or it is another agent's."""

    code = "unknown_charge"


class AgentDisabled(Refusal):
    """The agent was switched off."""

    code = "agent_disabled"


class AllocationClosed(Refusal):
    """The allocation is completed, failed, expired or exhausted."""

    code = "allocation_closed"


class AllocationTooSmall(Refusal):
    """Not enough is left in the allocation for this call."""

    code = "allocation_exhausted"


class HeldBefore(Refusal):
    """The idempotency key was used for a call of this allocation before: says what became of it."""

    code = "held_before"


class KeyChanged(Refusal):
    """The allocation is not on the API key that was expected: it was rotated meanwhile."""

    code = "key_changed"


class KeyCannotServe(Refusal):
    """The allocation's API key is switched off, broken or cooling."""

    code = "key_cannot_serve"


class RateLimited(Refusal):
    """The API key has no place left in this minute: says when it has one."""

    code = "rate_limited"


class ChargeEnded(Refusal):
    """The charge was released, or settled with other usage."""

    code = "charge_ended"


class RotationRefused(Refusal):
    """No other key can take what is left, or the key asked for cannot."""

    code = "rotation_refused"


class WrongValue(Refusal):
    """A value that cannot be used: `facts['field']` names it."""

    code = "wrong_value"


class AlreadyExists(Refusal):
    """The name is taken."""

    code = "already_exists"


class TooManyTokens(Refusal):
    """An agent has two live tokens already; revoke one first."""

    code = "too_many_tokens"
