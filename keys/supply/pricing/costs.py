"""The cost of a call, and the most that a number of tokens can cost."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import NamedTuple

from keys.supply.pricing.rates import RATE_NAMES, ZERO, Rates

NANO = Decimal("1e-9")

# More digits than the largest rate times the largest count of tokens can have: nothing is rounded
# before the end, regardless of the precision of the caller's context.
EXACT = Context(prec=80)


class PricedPart(NamedTuple):
    """A part of what a call used, at its rate: US dollars per 1,000. `cost` is not rounded.

    `kind` is the name of a rate, or `unknown` for tokens of which only the number is known.
    """

    kind: str
    number: int
    rate: Decimal

    @property
    def cost(self) -> Decimal:
        """US dollars."""
        return EXACT.multiply(self.rate, self.number).scaleb(-3, EXACT)


def cost(rates: Rates, **counts: int) -> Decimal:
    """Return what a call cost, in US dollars with 9 places: the sum of its `priced_parts`."""
    with localcontext(EXACT):
        parts = sum((part.cost for part in priced_parts(rates, **counts)), ZERO)
        return parts.quantize(NANO, ROUND_HALF_UP)


def priced_parts(  # noqa: PLR0913 - one count for each kind of token
    rates: Rates,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    cache_write_long_tokens: int = 0,
    audio_input_tokens: int = 0,
    image_input_tokens: int = 0,
    reasoning_tokens: int = 0,
    audio_output_tokens: int = 0,
    image_output_tokens: int = 0,
    unknown_tokens: int = 0,
    requests: int = 0,
    web_searches: int = 0,
) -> list[PricedPart]:
    """Return what a call used that has a price: each kind of token, requests and searches.

    Counted as OpenAI does: `cached_tokens` (read from a cache), `cache_write_tokens`,
    `audio_input_tokens` and `image_input_tokens` are part of `input_tokens`,
    `cache_write_long_tokens` of `cache_write_tokens`, `reasoning_tokens` (at the rate of output),
    `audio_output_tokens` and `image_output_tokens` of `output_tokens`. Anthropic counts cached
    tokens beside its input tokens: add them up first. Providers do not report how much audio or
    images came from a cache: as much of it as possible is priced as not cached. `unknown_tokens`,
    of which only the number is known, cost the highest rate they can. Searches whose price is not
    known cost nothing. ValueError when a part is more than its whole, or below zero.
    """
    text = input_tokens - cached_tokens - cache_write_tokens
    if text < 0 or audio_input_tokens + image_input_tokens > input_tokens:
        raise ValueError("A part of the input tokens is more than the input tokens.")
    if cache_write_long_tokens > cache_write_tokens:
        raise ValueError("The one-hour cache writes are more than all cache writes.")
    written = output_tokens - audio_output_tokens - image_output_tokens
    if reasoning_tokens > output_tokens or written < 0:
        raise ValueError("A part of the output tokens is more than the output tokens.")
    audio = min(audio_input_tokens, text)
    images = min(image_input_tokens, text - audio)
    counts = (
        text - audio - images,
        cached_tokens,
        cache_write_tokens - cache_write_long_tokens,
        cache_write_long_tokens,
        audio,
        images,
        written,
        audio_output_tokens,
        image_output_tokens,
    )
    if (
        min(
            *counts,
            cache_write_tokens,
            audio_input_tokens,
            image_input_tokens,
            reasoning_tokens,
            unknown_tokens,
            requests,
            web_searches,
        )
        < 0
    ):
        raise ValueError("A number of tokens, requests or searches is below zero.")
    paid = rates.at(input_tokens + unknown_tokens) if rates.tiers else rates
    dearest = rates.dearest(input_tokens + unknown_tokens) if unknown_tokens else ZERO
    parts = (
        *zip(RATE_NAMES, counts, paid.all, strict=True),
        ("unknown", unknown_tokens, dearest),
        ("request", requests, rates.request),
        ("web_search", web_searches, rates.web_search or ZERO),
    )
    return [PricedPart(kind, number, rate) for kind, number, rate in parts if number]


def bound(rates: Rates, tokens: int) -> Decimal:
    """Return the most that `tokens` tokens can cost: US dollars, 9 places.

    The bound holds for every kind of token, any number of requests and every length of prompt, but
    not for what a request costs beside tokens (`Rates.call_max`).
    Allocations and holds are priced with it (`Price.token_cost_max`), so the parts of an allocation
    cannot cost more than the whole.
    """
    if tokens < 0:
        raise ValueError("A number of tokens is below zero.")
    with localcontext(EXACT):
        return (rates.max * tokens).scaleb(-3).quantize(NANO, ROUND_CEILING)
