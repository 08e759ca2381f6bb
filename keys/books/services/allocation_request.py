"""The request for an allocation, checked before anything is read."""

from dataclasses import asdict, dataclass, field

from django.conf import settings

from keys.models import WireFormat
from keys.refusals import WrongValue

# Statuses with which the gateway may refuse a call that the budget cannot pay. Clients do not retry
# after any of these by themselves.
REFUSAL_STATUSES = (400, 402, 403, 422, 429)
_LATER = ("wire_format", "refusal_status")


def check_ttl(ttl_seconds: int) -> None:
    """Refuse a lifetime that is not positive or above the setting. Refusals: WrongValue."""
    if not 0 < ttl_seconds <= settings.ALLOCATION_TTL_SECONDS_MAX:
        raise WrongValue(
            f"Use a ttl_seconds from 1 to {settings.ALLOCATION_TTL_SECONDS_MAX:,}.",
            field="ttl_seconds",
        )


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
            raise WrongValue("Use 1 to 1,000,000,000,000 tokens.", field="tokens")
        check_ttl(self.ttl_seconds)
        if self.wire_format not in (None, *WireFormat.values):
            raise WrongValue("Use openai or anthropic as the wire format.", field="wire_format")
        if self.refusal_status not in (None, *REFUSAL_STATUSES):
            raise WrongValue(
                f"Use one of {', '.join(map(str, REFUSAL_STATUSES))} as the refusal status.",
                field="refusal_status",
            )

    def as_json(self) -> dict[str, object]:
        """The request as JSON, to compare a repeated request with."""
        fields = asdict(self)
        # A request from before these fields existed must still compare as the same.
        return {n: fields[n] for n in fields if n not in _LATER or fields[n] is not None}
