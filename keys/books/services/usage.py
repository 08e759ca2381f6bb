"""What one call used: the counts, their checks and their cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from keys.models import Price
from keys.refusals import WrongValue
from keys.supply import pricing

_SEARCHES_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and web searches of one call. Some counts are part of others: see `Charge`.

    `total` alone is enough when the parts are unknown; it is then priced at the highest rate.
    `search_kind`: how the provider searched, where that has a price of its own (`Rates.variants`).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    audio_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    web_searches: int = 0
    search_kind: str = ""
    total: int | None = None

    def check(self) -> None:
        """Refusals: WrongValue."""
        if min(self.as_columns().values()) < 0 or self.tokens > 10**12:
            raise WrongValue("Use token counts from 0 to 1,000,000,000,000.", field="tokens")
        if self.web_searches > _SEARCHES_MAX:
            raise WrongValue(
                f"Use a number of searches from 0 to {_SEARCHES_MAX:,}.", field="web_searches"
            )
        for parts, whole in _PARTS:
            if sum(getattr(self, part) for part in parts) > getattr(self, whole):
                names = " and ".join(parts)
                higher = names if len(parts) == 1 else "the sum"
                raise WrongValue(f"Include {names} in {whole}: {higher} is higher.", field=parts[0])
        if self.total is not None and self.total < self.input_tokens + self.output_tokens:
            raise WrongValue(
                "Use a total of at least input_tokens plus output_tokens.", field="total"
            )

    @property
    def tokens(self) -> int:
        """The tokens that count against the allocation."""
        return self.input_tokens + self.output_tokens if self.total is None else self.total

    def cost(self, price: Price, *, service_tier: str = "", at: datetime) -> Decimal:
        """The cost at `price`, in USD, rounded once to 9 places: of the tokens, the searches and,
        if any tokens were used, the request.

        `service_tier`: as the provider says it was served, if it does. `at`: when it was completed.
        """
        return pricing.cost(self._rates(price, service_tier, at), **self._counts())

    def priced_parts(
        self, price: Price, *, service_tier: str = "", at: datetime
    ) -> list[pricing.PricedPart]:
        """What `cost` is the sum of, with the rates that apply."""
        return pricing.priced_parts(self._rates(price, service_tier, at), **self._counts())

    def _rates(self, price: Price, service_tier: str, at: datetime) -> pricing.Rates:
        return price.served_rates(service_tier=service_tier, at=at, search_kind=self.search_kind)

    def _counts(self) -> dict[str, int]:
        """The counts as `pricing` takes them."""
        counts = self.as_columns()
        tokens = counts.pop("tokens")
        counts["unknown_tokens"] = tokens - self.input_tokens - self.output_tokens
        counts["requests"] = 1 if tokens else 0
        return counts

    def as_columns(self) -> dict[str, int]:
        """The counts as columns of a charge."""
        return {
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cache_write_long_tokens": self.cache_write_long_tokens,
            "audio_input_tokens": self.audio_input_tokens,
            "image_input_tokens": self.image_input_tokens,
            "output_tokens": self.output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "audio_output_tokens": self.audio_output_tokens,
            "image_output_tokens": self.image_output_tokens,
            "web_searches": self.web_searches,
            "tokens": self.tokens,
        }


_PARTS = (
    (("cached_tokens", "cache_write_tokens"), "input_tokens"),
    (("cache_write_long_tokens",), "cache_write_tokens"),
    (("audio_input_tokens", "image_input_tokens"), "input_tokens"),
    (("reasoning_tokens",), "output_tokens"),
    (("audio_output_tokens", "image_output_tokens"), "output_tokens"),
)
NOTHING = Usage()
