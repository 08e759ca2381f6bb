"""Every refusal of the gateway itself; those of the books are in `keys.refusals`.

When a call can be refused, and with which HTTP status (`error_responses.SHAPES`; where two are
given, the first is OpenAI's wire format and the second Anthropic's). `keys.` marks refusals of the
books that pass through.

    request
    ├── route            RouteNotFound 404, ModelNotServed 404
    ├── identify         InvalidToken 401, SlotEmpty 400, TooManyCalls 429
    ├── body             BodyTooLarge 413, BodyTooSlow 408, InvalidRequest 400,
    │                    TooManyLargeBodies 503; of a large one first `budget` and `caller`
    └── admission
        ├── parse        InvalidRequest 400, CannotBeBounded 400
        ├── guard        OwnSecretSent 400, CredentialSent 400
        ├── model        ModelNotServed 404, keys.NotAllowed 403
        ├── wire format  WrongWireFormat 400
        ├── stored       ResponseNotFound 400
        ├── input        InputNotTaken 400
        └── hold
            ├── budget   keys.AllocationExhausted and keys.AllocationClosed: 400, or the
            │            `refusal_status` of the allocation
            ├── in flight keys.BudgetInFlight 429, after a wait
            ├── caller   keys.AllocationNotFound 401, keys.AgentDisabled 403, keys.Frozen 403
            ├── repeat   AlreadyCalled 409, keys.IdempotencyMismatch 409
            └── API key  keys.RateLimited 429, keys.KeyFull 503, KeyUnusable 503,
                         keys.KeyFrozen 403
    call
    ├── send             ProviderUnreachable 502: nothing was sent, nothing is charged
    ├── key refused      KeyUnusable 503 or keys.RateLimited 429, when no other key can take the
    │                    session over, and no fallback of the model the call
    ├── while it runs    keys.Frozen 403: a freeze ended it; charged by the best evidence
    └── answer           AnswerLost 504: charged by the best evidence; UnusableAnswer 502: a web
                         page or a redirect, nothing is charged

With the token of a slot, every refusal that may not be retried becomes SlotRefused 400.
"""

from dataclasses import dataclass
from decimal import Decimal

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class InvalidRequest(Refusal):
    """The body is not a JSON object, or a field that metering needs has no usable value."""

    field: str


@dataclass(kw_only=True, eq=False)
class CannotBeBounded(Refusal):
    """The request asks for something whose tokens or cost cannot be known before the call."""

    field: str | None = None
    tool: str | None = None
    type: str | None = None


@dataclass(kw_only=True, eq=False)
class InputNotTaken(Refusal):
    """The request has an image or audio, which the model does not take."""

    medium: str
    model: str = ""

    def sentence(self) -> str:
        """What to change in the request."""
        return (
            f"{self.model or 'The model'} does not take {self.medium} input. Leave it out, or use a"
            " model that takes it."
        )


_KINDS_OF_SECRETS = {
    "key": "the API key of a provider",
    "channel": "the address of a notification channel",
    "agent": "an agent token of Butler",
    "session": "a session token of Butler",
    "slot": "the token of a slot of Butler",
}


@dataclass(kw_only=True, eq=False)
class OwnSecretSent(Refusal):
    """The request has secrets that Butler itself holds; `kinds` says of which kinds."""

    kinds: list[str]

    def sentence(self) -> str:
        """What to take out of the request."""
        secrets = ", ".join(_KINDS_OF_SECRETS[kind] for kind in self.kinds)
        return (
            f"The request contains a secret that Butler holds: {secrets}. It was not sent to the "
            "provider, and people were told. Take the secret out of all messages, also of earlier "
            "ones and of the results of tools."
        )


@dataclass(kw_only=True, eq=False)
class CredentialSent(Refusal):
    """The request has credentials in it, and the cost centre refuses such calls; `rules` are the
    rules of the secret scanner that found them."""

    rules: list[str]

    def sentence(self) -> str:
        """What to take out of the request."""
        return (
            f"The request contains a credential ({', '.join(self.rules)}), and your cost centre "
            "refuses such calls. It was not sent to the provider. Take the credential out of all "
            "messages, also of earlier ones and of the results of tools."
        )


@dataclass(kw_only=True, eq=False)
class ResponseNotFound(Refusal):
    """The earlier response that the request goes on from is not one that this call can use."""

    field: str


class InvalidToken(Refusal):
    """The request has no session token, or an unknown one."""


@dataclass(kw_only=True, eq=False)
class SlotEmpty(Refusal):
    """The token belongs to a slot that no allocation is using, so nothing can pay."""

    slot: str


class SlotRefused(Refusal):
    """A call with a slot's token was refused; the page of the slot shows the reason."""


class RouteNotFound(Refusal):
    """The path is not one of the routes that the gateway can meter."""


@dataclass(kw_only=True, eq=False)
class ModelNotServed(Refusal):
    """The session cannot use the model; `models` are those that it can use."""

    model: str
    models: list[str]


class BodyTooLarge(Refusal):
    """The body is larger than any request needs."""


class BodyTooSlow(Refusal):
    """The body of the request did not arrive in time."""


class TooManyLargeBodies(Refusal):
    """Other large requests have the memory that they share; a retry can succeed."""


@dataclass(kw_only=True, eq=False)
class TooManyCalls(Refusal):
    """The agent has as many calls under way in this process as it may have."""

    agent: str
    calls_max: int

    def sentence(self) -> str:
        return (
            f"The agent {self.agent} has {self.calls_max:,} calls under way here, which is the "
            "most that it may have. Retry when one of them has ended."
        )


@dataclass(kw_only=True, eq=False)
class WrongWireFormat(Refusal):
    """The provider of the session's key does not support this wire format."""

    key_id: str
    provider: str


@dataclass(kw_only=True, eq=False)
class AlreadyCalled(Refusal):
    """The idempotency key was used for this call before: it is not made or charged again."""

    charge_id: int
    charge_status: str


@dataclass(kw_only=True, eq=False)
class KeyUnusable(Refusal):
    """The provider refused the session's key, and no other key can take the session over."""

    key_id: str | None = None


@dataclass(kw_only=True, eq=False)
class ProviderUnreachable(Refusal):
    """The provider cannot be reached: nothing was sent, nothing is charged."""

    provider: str


@dataclass(kw_only=True, eq=False)
class UnusableAnswer(Refusal):
    """The provider's address answered with a web page, a redirect or anything else that is not an
    answer: nothing is charged."""

    provider: str
    key_id: str


@dataclass(kw_only=True, eq=False)
class AnswerLost(Refusal):
    """The call was sent, but its answer did not come or broke off. It may have been made, so it is
    charged by the best evidence."""

    charge_id: int
    cost: Decimal
