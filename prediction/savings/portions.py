"""Which money a proposal is about, so that a sum of proposals counts no dollar twice.

What was spent is divided into portions: by agent, runner, API key, model, what the request named,
and how the attempt ended. Each dollar is in one portion.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

# USD that were spent, by portion.
Spent = Mapping[str, float]


class Proposal(NamedTuple):
    """What a proposal saves (USD), and what was spent on the work that it is about."""

    amount: Decimal
    spent: Spent


def portion(*values: str) -> str:
    """The name of a portion of the spend."""
    return "|".join(values)


def total_once(proposals: Iterable[Proposal]) -> Decimal:
    """What all of them save together, where of several about one portion the largest counts.

    The amount of a proposal is divided as its spend is. One without spend is of its own.
    """
    largest: dict[str, Decimal] = {}
    total = Decimal(0)
    for amount, spent in proposals:
        whole = Decimal(sum(spent.values()))
        if whole <= 0:
            total += amount
            continue
        for name, cost in spent.items():
            part = amount * Decimal(cost) / whole
            largest[name] = max(part, largest.get(name, Decimal(0)))
    return (total + sum(largest.values())).quantize(Decimal("1e-9"))
