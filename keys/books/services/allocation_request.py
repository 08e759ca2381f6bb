"""The request for an allocation, checked before anything is read."""

from dataclasses import asdict, dataclass, field

from django.conf import settings

from keys.models import WireFormat
from keys.refusals import WrongValue

# Statuses with which the gateway may refuse a call that the budget cannot pay; clients retry none
# of them by themselves.
REFUSAL_STATUSES = (400, 402, 403, 422, 429)
_LATER = ("wire_format", "refusal_status")


@dataclass(frozen=True, kw_only=True)
class AllocationRequest:
    """The terms of an allocation: `tokens` > 0, `ttl_seconds` until it expires unless extended.

    `wire_format`: what the session will speak to the gateway; only keys of providers that speak it
    are considered. `refusal_status`: the HTTP status with which the gateway refuses a call that the
    budget cannot pay, for clients that misread the usual one.
    """

    tokens: int
    provider: str | None = None
    model: str | None = None
    cost_centre: str | None = None
    ttl_seconds: int = field(default_factory=lambda: settings.ALLOCATION_TTL_SECONDS)
    auto_rotate: bool = True
    wire_format: str | None = None
    refusal_status: int | None = None

    def check(self) -> None:
        """Refusals: WrongValue."""
        if not 0 < self.tokens <= 10**12:
            raise WrongValue("tokens must be from 1 to 1,000,000,000,000.", field="tokens")
        if not 0 < self.ttl_seconds <= settings.ALLOCATION_TTL_SECONDS_MAX:
            raise WrongValue(
                f"ttl_seconds must be from 1 to {settings.ALLOCATION_TTL_SECONDS_MAX}.",
                field="ttl_seconds",
            )
        if self.wire_format not in (None, *WireFormat.values):
            raise WrongValue("wire_format is openai or anthropic.", field="wire_format")
        if self.refusal_status not in (None, *REFUSAL_STATUSES):
            raise WrongValue(
                f"refusal_status is one of {', '.join(map(str, REFUSAL_STATUSES))}.",
                field="refusal_status",
            )

    def as_json(self) -> dict[str, object]:
        """The request, to compare a repeated one with."""
        asked = asdict(self)
        # What requests of before these fields were made of stays the same request.
        return {n: asked[n] for n in asked if n not in _LATER or asked[n] is not None}
