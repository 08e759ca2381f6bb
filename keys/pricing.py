"""What tokens cost: rates, the cost of a call, the most a number of tokens can cost.

Money is `Decimal` US dollars, never float; rates are per 1,000 tokens, as a Price row and the
seed's JSON have them. A cost is rounded once, to 9 places, half up; a bound is rounded up.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import NamedTuple

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
    """US dollars per 1,000 tokens; a rate that is not given is that of its kind.

    `cached` and `cache_write` cost what `input` does, `cache_write_long` (kept an hour) what
    `cache_write` does, audio what `input` and `output` do. `tiers`: the rates of longer prompts,
    by length. TypeError for anything but Decimal, ValueError for a negative or infinite rate, and
    for tiers that are out of order.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    tiers: "tuple[Tier, ...]" = ()

    def __post_init__(self):
        for name, kind in _KINDS.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self, kind))
        for rate in self.all:
            if not isinstance(rate, Decimal):
                raise TypeError(f"A rate is a Decimal, not {rate!r}.")
            if not rate.is_finite() or rate < 0:
                raise ValueError(f"A rate is zero or more, not {rate}.")
        _check_order(self.tiers)

    @property
    def all(self) -> tuple[Decimal, ...]:
        """The rates in the order of RATE_NAMES; those of its tiers are not among them."""
        return tuple(getattr(self, name) for name in RATE_NAMES)

    def at(self, input_tokens: int) -> "Rates":
        """The rates of a whole request whose prompt has this length."""
        for tier in reversed(self.tiers):
            if input_tokens > tier.from_tokens:
                return tier.rates
        return self

    def dearest(self, tokens: int) -> Decimal:
        """The highest rate a request of at most `tokens` tokens can reach."""
        reached = (max(t.rates.all) for t in self.tiers if tokens > t.from_tokens)
        return max(*self.all, *reached)

    @property
    def tier_max(self) -> Decimal:
        """The highest rate of its tiers."""
        return max((max(tier.rates.all) for tier in self.tiers), default=ZERO)


class Tier(NamedTuple):
    """The rates of a whole request whose prompt is longer than `from_tokens`."""

    from_tokens: int
    rates: Rates


RATE_NAMES = (
    "input",
    "cached",
    "cache_write",
    "cache_write_long",
    "audio_input",
    "output",
    "audio_output",
)
# What a rate is when it is not given; in this order, since one may follow another.
_KINDS = {
    "cached": "input",
    "cache_write": "input",
    "cache_write_long": "cache_write",
    "audio_input": "input",
    "audio_output": "output",
}


def _check_order(tiers: tuple[Tier, ...]) -> None:
    starts = [tier.from_tokens for tier in tiers]
    if starts != sorted(set(starts)) or min(starts, default=0) < 0:
        raise ValueError("Tiers begin at growing numbers of tokens, from 0 on.")
    if any(tier.rates.tiers for tier in tiers):
        raise ValueError("A tier has no tiers of its own.")


def cost(  # noqa: PLR0913 - one count for each kind of token
    rates: Rates,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    cache_write_long_tokens: int = 0,
    audio_input_tokens: int = 0,
    reasoning_tokens: int = 0,
    audio_output_tokens: int = 0,
    unknown_tokens: int = 0,
) -> Decimal:
    """Return what a call cost, in US dollars with 9 places.

    Counted as OpenAI does: `cached_tokens` (read from a cache), `cache_write_tokens` and
    `audio_input_tokens` are part of `input_tokens`, `cache_write_long_tokens` of
    `cache_write_tokens`, `reasoning_tokens` (at the rate of output) and `audio_output_tokens` of
    `output_tokens`. Anthropic counts cached tokens beside its input tokens: add them up first.
    Audio may have come from a cache, and nobody says so: as much of it as possible is taken as
    fresh. `unknown_tokens`, of which nothing is known but the number, cost the highest rate they
    can. ValueError when a part is more than its whole, or below zero.
    """
    text = input_tokens - cached_tokens - cache_write_tokens
    if text < 0 or audio_input_tokens > input_tokens:
        raise ValueError("A part of the input tokens is more than the input tokens.")
    if cache_write_long_tokens > cache_write_tokens:
        raise ValueError("Tokens written for an hour are more than those written to the cache.")
    if reasoning_tokens > output_tokens or audio_output_tokens > output_tokens:
        raise ValueError("A part of the output tokens is more than the output tokens.")
    audio = min(audio_input_tokens, text)
    counts = (
        text - audio,
        cached_tokens,
        cache_write_tokens - cache_write_long_tokens,
        cache_write_long_tokens,
        audio,
        output_tokens - audio_output_tokens,
        audio_output_tokens,
    )
    if min(*counts, cache_write_tokens, audio_input_tokens, reasoning_tokens, unknown_tokens) < 0:
        raise ValueError("A number of tokens is below zero.")
    with localcontext(_EXACT):
        paid = rates.at(input_tokens + unknown_tokens) if rates.tiers else rates
        thousandfold = sum((rate * n for rate, n in zip(paid.all, counts, strict=True) if n), ZERO)
        if unknown_tokens:
            thousandfold += rates.dearest(input_tokens + unknown_tokens) * unknown_tokens
        return thousandfold.scaleb(-3).quantize(NANO, ROUND_HALF_UP)


def bound(rates: Rates, tokens: int) -> Decimal:
    """Return the most that `tokens` tokens can cost, however they split: US dollars, 9 places."""
    if tokens < 0:
        raise ValueError("A number of tokens is below zero.")
    with localcontext(_EXACT):
        return (rates.dearest(tokens) * tokens).scaleb(-3).quantize(NANO, ROUND_CEILING)


def rates_as_json(rates: Rates) -> dict[str, object]:
    """Return the rates as plain decimal strings, for a jsonb column or an answer."""
    stored = {name: format(rate, "f") for name, rate in zip(RATE_NAMES, rates.all, strict=True)}
    return stored | {"tiers": tiers_as_json(rates.tiers)} if rates.tiers else stored


def rates_from_json(stored: dict[str, object]) -> Rates:
    """Read what `rates_as_json` wrote; TypeError for numbers that are not strings (floats)."""
    rates = {name: _decimal(name, rate) for name, rate in stored.items() if name != "tiers"}
    return Rates(**rates, tiers=tiers_from_json(stored.get("tiers", ())))


def tiers_as_json(tiers: Iterable[Tier]) -> list[dict[str, object]]:
    """Return tiers as a Price row keeps them: their rates, and `from_tokens`, a number."""
    return [{"from_tokens": tier.from_tokens} | rates_as_json(tier.rates) for tier in tiers]


def tiers_from_json(stored: Iterable[dict[str, object]]) -> tuple[Tier, ...]:
    """Read what `tiers_as_json` wrote."""
    return tuple(_tier_from_json(**tier) for tier in stored)


def _tier_from_json(*, from_tokens: int, **rates: object) -> Tier:
    return Tier(from_tokens, rates_from_json(rates))


def _decimal(name: str, stored: object) -> Decimal:
    if not isinstance(stored, str):
        raise TypeError(f"The rate {name} is a decimal in a string, not {stored!r}.")
    return Decimal(stored)


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
