"""Every refusal of the gateway itself; those of the books are in `keys.refusals`.

When a call can be refused, and with which HTTP status (`error_responses.SHAPES`; where two are
given, the first is OpenAI's wire format and the second Anthropic's). `keys.` marks refusals of the
books that pass through.

    request
    ├── route            UnknownRoute 404
    ├── body             BodyTooLarge 413, Unreadable 400
    └── admission
        ├── identify     NotAuthenticated 401, SlotEmpty 400
        ├── parse        Unreadable 400, CannotBeBounded 400
        ├── wire format  WrongWireFormat 400
        └── hold
            ├── budget   keys.AllocationTooSmall and keys.AllocationClosed: 429 / 402, or the
            │            `refusal_status` of the allocation
            ├── caller   keys.UnknownAllocation 401, keys.AgentDisabled 403
            ├── repeat   AlreadyCalled 409, keys.IdempotencyMismatch 409
            └── API key  keys.RateLimited 429, KeyUnusable 503
    call
    ├── send             ProviderUnreachable 502: nothing was sent, nothing is charged
    ├── key refused      KeyUnusable 503, when no other key can take the session over
    └── answer           AnswerLost 504: charged by the best evidence

With the token of a slot, every refusal that may not be retried becomes SlotRefused 400.
"""

from common.refusal import Refusal


class Unreadable(Refusal):
    """The body is not a JSON object, or a field that metering needs has no usable value."""

    code = "invalid_request"


class CannotBeBounded(Refusal):
    """The request asks for something whose tokens or cost cannot be known before the call."""

    code = "cannot_be_bounded"


class NotAuthenticated(Refusal):
    """The request has no session token, or an unknown one."""

    code = "invalid_token"


class SlotEmpty(Refusal):
    """The token belongs to a slot that no allocation is using, so nothing can pay."""

    code = "slot_empty"


class SlotRefused(Refusal):
    """A call with a slot's token was refused; the page of the slot shows the reason."""

    code = "slot_refused"


class UnknownRoute(Refusal):
    """The path is not one of the routes that the gateway can meter."""

    code = "unknown_route"


class BodyTooLarge(Refusal):
    """The body is larger than any request needs."""

    code = "body_too_large"


class WrongWireFormat(Refusal):
    """The provider of the session's key does not support this wire format."""

    code = "wrong_wire_format"


class AlreadyCalled(Refusal):
    """The idempotency key was used for this call before: it is not made or charged again."""

    code = "already_called"


class KeyUnusable(Refusal):
    """The provider refused the session's key, and no other key can take the session over."""

    code = "key_unusable"


class ProviderUnreachable(Refusal):
    """The provider cannot be reached: nothing was sent, nothing is charged."""

    code = "provider_unreachable"


class AnswerLost(Refusal):
    """The call was sent, but its answer did not come or broke off. It may have been made, so it is
    charged by the best evidence."""

    code = "answer_lost"
