"""What tokens cost: rates, the cost of a call, the most a number of tokens can cost.

Money is `Decimal` US dollars, never float; rates are per 1,000 tokens, as a Price row and the
seed's JSON have them. A cost is rounded once, to 9 places, half up; a bound is rounded up.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext

from genai_prices import data_snapshot
from genai_prices.types import TieredPrices

NANO = Decimal("1e-9")
ZERO = Decimal(0)

# More digits than the largest rate times the largest count of tokens can have: nothing is rounded
# on the way, whatever precision the caller's context has.
_EXACT = Context(prec=80)

# Names that people give a provider and genai-prices does not know by itself.
_PROVIDERS = {
    "amazon": "aws",
    "azure-openai": "azure",
    "claude": "anthropic",
    "google-ai": "google",
    "grok": "x-ai",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "together-ai": "together",
    "xai": "x-ai",
}
# `openai-2` is a second account with `openai`.
_ACCOUNT_NUMBER = re.compile(r"-\d{1,4}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per 1,000 tokens. `cached` and `cache_write` cost what `input` does unless given.

    TypeError for anything but Decimal, ValueError for a negative or infinite rate.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None

    def __post_init__(self):
        for name in ("cached", "cache_write"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.input)
        for rate in self.all:
            if not isinstance(rate, Decimal):
                raise TypeError(f"A rate is a Decimal, not {rate!r}.")
            if not rate.is_finite() or rate < 0:
                raise ValueError(f"A rate is zero or more, not {rate}.")

    @property
    def all(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The rates as input, cached, cache_write, output."""
        return self.input, self.cached, self.cache_write, self.output


def cost(
    rates: Rates,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> Decimal:
    """Return what a call cost, in US dollars with 9 places.

    Counted as OpenAI does: `cached_tokens` (read from a cache) and `cache_write_tokens` are part of
    `input_tokens`, `reasoning_tokens` part of `output_tokens`, at the rate of output. Anthropic
    counts them beside its input tokens: add them up first. ValueError when a part is more than
    its whole, or below zero.
    """
    fresh_tokens = input_tokens - cached_tokens - cache_write_tokens
    counts = (fresh_tokens, cached_tokens, cache_write_tokens, output_tokens)
    if fresh_tokens < 0:
        raise ValueError(
            "Cached and cache write tokens are more than the input tokens they are of."
        )
    if reasoning_tokens > output_tokens:
        raise ValueError("Reasoning tokens are more than the output tokens they are of.")
    if min(*counts, reasoning_tokens) < 0:
        raise ValueError("A number of tokens is below zero.")
    with localcontext(_EXACT):
        thousandfold = sum((rate * n for rate, n in zip(rates.all, counts, strict=True)), ZERO)
        return thousandfold.scaleb(-3).quantize(NANO, ROUND_HALF_UP)


def bound(rates: Rates, tokens: int) -> Decimal:
    """Return the most that `tokens` tokens can cost, however they split: US dollars, 9 places."""
    if tokens < 0:
        raise ValueError("A number of tokens is below zero.")
    with localcontext(_EXACT):
        return (max(rates.all) * tokens).scaleb(-3).quantize(NANO, ROUND_CEILING)


def rates_as_json(rates: Rates) -> dict[str, str]:
    """Return the rates as plain decimal strings, for a jsonb column or an answer."""
    names = ("input", "cached", "cache_write", "output")
    return {name: format(rate, "f") for name, rate in zip(names, rates.all, strict=True)}


def rates_from_json(stored: dict[str, str]) -> Rates:
    """Read what `rates_as_json` wrote; TypeError for numbers that are not strings (floats)."""
    for name, rate in stored.items():
        if not isinstance(rate, str):
            raise TypeError(f"The rate {name} is a decimal in a string, not {rate!r}.")
    return Rates(**{name: Decimal(rate) for name, rate in stored.items()})


def default_rates(provider_slug: str, model: str, *, at: datetime) -> Rates | None:
    """Return the rates of `model` at the moment `at` from genai-prices, or None if it has none.

    Only the data bundled with the package, never the network. Where a price depends on the length
    of the prompt (tiers) or on how it is sent, this is the base price. A model whose name ends in
    `:free` and has no price costs nothing; any other without a price per token is unknown.
    """
    prices = _find_prices(provider_slug, model, at)
    if prices is None:
        return None
    if prices.input_mtok is None:
        return Rates(input=ZERO, output=ZERO) if model.lower().endswith(":free") else None
    return Rates(
        input=_per_thousand(prices.input_mtok),
        cached=_per_thousand(prices.cache_read_mtok),
        cache_write=_per_thousand(prices.cache_write_mtok),
        # Embeddings have no output.
        output=_per_thousand(prices.output_mtok) or ZERO,
    )


def _find_prices(provider_slug, model, at):
    name = _ACCOUNT_NUMBER.sub("", provider_slug.strip().lower())
    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(
            model, None, _PROVIDERS.get(name, name), None
        )
    except LookupError:
        return None
    return found.get_prices(at)


def _per_thousand(per_million: Decimal | TieredPrices | None) -> Decimal | None:
    if isinstance(per_million, TieredPrices):
        per_million = per_million.base
    if per_million is None:
        return None
    # Nine places, as a Price row has: some bundled prices carry the dust of a float (…00002).
    return per_million.scaleb(-3, _EXACT).quantize(NANO, ROUND_HALF_UP, _EXACT)
