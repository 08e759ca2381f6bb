"""Every `no` of the gateway itself; those of the books are in `keys.refusals`."""

from common.refusal import Refusal


class Unreadable(Refusal):
    """The body is no JSON object of this route, or a field metering needs has no usable value."""

    code = "invalid_request"


class CannotBeBounded(Refusal):
    """The request asks for something whose tokens or cost cannot be known before the call."""

    code = "cannot_be_bounded"


class NotAuthenticated(Refusal):
    """No session token was sent, or one that is unknown; or its agent was switched off."""

    code = "invalid_token"


class SlotEmpty(Refusal):
    """The token is a slot's, and no allocation sits in it that could pay."""

    code = "slot_empty"


class SlotRefused(Refusal):
    """A call with a slot's token was refused; whoever reads of the slot is told with what."""

    code = "slot_refused"


class UnknownRoute(Refusal):
    """The gateway forwards only the routes it can meter."""

    code = "unknown_route"


class BodyTooLarge(Refusal):
    """The body is larger than any request needs."""

    code = "body_too_large"


class WrongWireFormat(Refusal):
    """The session's key is with a provider that does not speak this wire format."""

    code = "wrong_wire_format"


class AlreadyCalled(Refusal):
    """The idempotency key was used for this call before: it is neither made nor charged again."""

    code = "already_called"


class KeyUnusable(Refusal):
    """The provider refused the session's key, and no other key can take the session over."""

    code = "key_unusable"


class ProviderUnreachable(Refusal):
    """No connection to the provider could be made: nothing was sent, nothing is charged."""

    code = "provider_unreachable"


class AnswerLost(Refusal):
    """The call was sent, but its answer did not come or broke off: it may have been made, so it is
    charged by the best evidence."""

    code = "answer_lost"
