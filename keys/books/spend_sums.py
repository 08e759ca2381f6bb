"""Sums of usage in calls, tokens and USD."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from operator import attrgetter
from typing import Any


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums of usage, as `UsageSums` explains them; amounts in USD."""

    calls: int = 0
    released: int = 0
    expired: int = 0
    overruns: int = 0
    tokens: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    web_searches: int = 0
    cost: Decimal = Decimal(0)
    provider_cost: Decimal = Decimal(0)
    provider_calls: int = 0
    estimated_calls: int = 0
    estimated_cost: Decimal = Decimal(0)

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(*(getattr(self, name) + getattr(other, name) for name in SUMMED))


SUMMED = [field.name for field in fields(Spend)]
_figures = attrgetter(*SUMMED)


def sum_of(spends: Iterable[Spend]) -> Spend:
    """What they add up to; much faster than adding one to another, where there are thousands."""
    sums: Iterable[Any] = map(sum, zip(*map(_figures, spends), strict=True))
    return Spend(*sums)
