"""What an agent asks for."""

from dataclasses import asdict, dataclass, field

from django.conf import settings

from keys.refusals import WrongValue


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for. `tokens` > 0; `ttl_seconds` until it expires unless extended."""

    tokens: int
    provider: str | None = None
    model: str | None = None
    cost_centre: str | None = None
    ttl_seconds: int = field(default_factory=lambda: settings.ALLOCATION_TTL_SECONDS)
    auto_rotate: bool = True

    def check(self) -> None:
        """Refusals: WrongValue."""
        if not 0 < self.tokens <= 10**12:
            raise WrongValue("tokens must be from 1 to 1,000,000,000,000.", field="tokens")
        if not 0 < self.ttl_seconds <= settings.ALLOCATION_TTL_SECONDS_MAX:
            raise WrongValue(
                f"ttl_seconds must be from 1 to {settings.ALLOCATION_TTL_SECONDS_MAX}.",
                field="ttl_seconds",
            )

    def as_json(self) -> dict[str, object]:
        """The request, to compare a repeated one with."""
        return asdict(self)
