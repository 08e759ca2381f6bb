"""Rates: what tokens of each kind cost, and what they cost in a long prompt."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)


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

    def __post_init__(self) -> None:
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
        """The highest rate of its tiers; 0 without any."""
        return max((max(tier.rates.all) for tier in self.tiers), default=ZERO)

    @property
    def max(self) -> Decimal:
        """The highest rate of all."""
        return max(*self.all, self.tier_max)


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
