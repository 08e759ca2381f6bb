"""Rates: the cost of each kind of token, also in long prompts and as another service tier.

Beside tokens, a provider may charge for each request and for each web search.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)
# US dollars per 1,000 tokens; the dearest public price of 2026 is 0.6.
_DEAREST_KNOWN = Decimal(1)
# What the price book has: US dollars per 1,000 tokens, requests or searches.
_HIGHEST, _PLACES = Decimal(10_000), 9
# The service tier of a request for which neither client nor provider says another.
STANDARD = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per 1,000 tokens. A missing rate is replaced by a more general one.

    `cached`, `cache_write`, `audio_input` and `image_input` default to `input`, `cache_write_long`
    (kept for an hour) to `cache_write`, `audio_output` and `image_output` to `output`. `tiers`: the
    rates of longer prompts, by length. `variants`: the rates of other service tiers, times of the
    day and kinds of search. `request` and `web_search`: US dollars per 1,000 requests and per 1,000
    searches by the provider; None: the price of searches is not known. TypeError for anything but
    Decimal, ValueError for a negative or infinite rate, and for tiers that are out of order.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    image_input: Decimal | None = None
    image_output: Decimal | None = None
    request: Decimal = ZERO
    web_search: Decimal | None = None
    tiers: "tuple[Tier, ...]" = ()
    variants: "tuple[Variant, ...]" = ()

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self, kind))
        for rate in (*self.all, self.request, self.web_search or ZERO):
            if not isinstance(rate, Decimal):
                raise TypeError(f"Use a Decimal as a rate, not {rate!r}.")
            if not rate.is_finite() or rate < 0:
                raise ValueError(f"Use a rate of zero or more, not {rate}.")
        _check_order(self.tiers)
        if any(variant.rates.variants for variant in self.variants):
            raise ValueError("Remove the variants of a variant: variants cannot be nested.")

    @property
    def all(self) -> tuple[Decimal, ...]:
        """The rates in the order of RATE_NAMES, without those of tiers and variants."""
        return tuple(getattr(self, name) for name in RATE_NAMES)

    def at(self, input_tokens: int) -> "Rates":
        """The rates for a request whose prompt has `input_tokens` tokens."""
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
        """The highest rate of the tiers and variants; 0 without any."""
        tiers = (tier.rates.max for tier in self.tiers)
        return max(*tiers, *(each.rates.max for each in self.variants), ZERO, ZERO)

    @property
    def max(self) -> Decimal:
        """The highest rate, including those of tiers and variants."""
        return max(*self.all, self.tier_max)

    def call_max(self, *, web_searches: int) -> Decimal:
        """The most that a request with so many searches can cost beside its tokens, in USD."""
        served = [self, *(each.rates for each in self.variants)]
        each_request = max(rates.request for rates in served)
        each_search = max(rates.web_search or ZERO for rates in served)
        return (each_request + each_search * web_searches) / 1000

    def max_of(self, service_tiers: Collection[str]) -> Decimal:
        """The highest rate of a request that is served as one of these tiers, or as standard."""
        known = {STANDARD, *service_tiers}
        variants = tuple(each for each in self.variants if each.service_tier in known)
        return replace(self, variants=variants).max


class Tier(NamedTuple):
    """The rates of a whole request whose prompt is longer than `from_tokens`."""

    from_tokens: int
    rates: Rates


class Variant(NamedTuple):
    """The rates of a request served as `service_tier`, from `starts` to `ends` of each day in UTC.

    The interval may include midnight. None: all day. `search_kind`: how the provider searched, if
    that has a price of its own.
    """

    rates: Rates
    service_tier: str = STANDARD
    starts: time | None = None
    ends: time | None = None
    search_kind: str = ""

    def covers(self, time_of_day: time) -> bool:
        """Whether the rates apply at this time of the day."""
        if self.starts is None or self.ends is None:
            return True
        if self.starts <= self.ends:
            return self.starts <= time_of_day < self.ends
        return time_of_day >= self.starts or time_of_day < self.ends


RATE_NAMES = (
    "input",
    "cached",
    "cache_write",
    "cache_write_long",
    "audio_input",
    "image_input",
    "output",
    "audio_output",
    "image_output",
)
# What is paid beside tokens, and its defaults.
NO_FEES: dict[str, Decimal | None] = {"request": ZERO, "web_search": None}
# The rate that replaces a missing one. The order matters: a replacement may be replaced itself.
_KINDS = {
    "cached": "input",
    "cache_write": "input",
    "cache_write_long": "cache_write",
    "audio_input": "input",
    "image_input": "input",
    "audio_output": "output",
    "image_output": "output",
}


def _check_order(tiers: tuple[Tier, ...]) -> None:
    starts = [tier.from_tokens for tier in tiers]
    if starts != sorted(set(starts)) or min(starts, default=0) < 0:
        raise ValueError("Sort the tiers by their numbers of tokens, all different and from 0 on.")
    if any(tier.rates.tiers for tier in tiers):
        raise ValueError("Remove the tiers of a tier: tiers cannot be nested.")


def unstorable(rates: Rates) -> str:
    """Why a price book cannot have these rates; empty if it can. A rate that has more places would
    be rounded, perhaps to nothing, and with a higher one a sum could overflow."""
    paid = (*rates.all, rates.request, rates.web_search or ZERO)
    for rate in (*paid, *(each for tier in rates.tiers for each in tier.rates.all)):
        if rate > _HIGHEST:
            return f"Use rates of at most {_HIGHEST:,} US dollars per 1,000 tokens, not {rate:f}."
        if rate != round(rate, _PLACES):
            return f"Use rates with at most {_PLACES} decimal places, not {rate:f}."
    return ""


def doubt(rates: Rates) -> str:
    """A question about a rate above all known prices; empty without one."""
    for name in RATE_NAMES:
        if (rate := getattr(rates, name)) > _DEAREST_KNOWN:
            return (
                f"{name.replace('_', ' ').capitalize()} costs {rate:f} US dollars per 1,000 "
                "tokens, above all known prices. Is it the price of a million tokens? Divide it "
                "by 1,000."
            )
    return ""
