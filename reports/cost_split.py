"""How shared costs are split among cost centres: plain arithmetic, exact to nine places.

Each cost centre with a rule gives away all that it cost, and each target gets a part. What no
target gets is unallocated, and a rule of its own can split that. What a cost centre receives is not
split again (the direct method of cost accounting), so the order of rules does not matter.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

# The name of the bucket of unallocated costs, where others have that of a cost centre.
BUCKET = ""
_PLACES = 9
_SMALLEST = Decimal(1).scaleb(-_PLACES)
_ALL = Decimal(100)


class SplitRule(NamedTuple):
    """How the costs of `source` are split: the weight of each target, by method.

    `method`: `fixed` (weights are percent; what they lack to 100 is unallocated), `use` (weights
    are the costs of the targets' own calls of the month) or `even`. Without targets, or if none of
    them has used anything, all is unallocated.
    """

    source: str
    method: str
    weights: Mapping[str, Decimal]


class SplitPart(NamedTuple):
    """What `target` gets of the costs of `source`, in USD; blank is the bucket.

    `weight` of `weights`: the share that it is, such as 60 of 100.
    """

    source: str
    target: str
    method: str
    weight: Decimal
    weights: Decimal
    amount: Decimal


def split_costs(costs: Mapping[str, Decimal], rules: Iterable[SplitRule]) -> list[SplitPart]:
    """The parts of the `costs` of cost centres; the parts of each source add up to its costs."""
    by_source = {rule.source: rule for rule in rules}
    of_bucket = by_source.pop(BUCKET, None)
    parts = [
        part
        for source, rule in sorted(by_source.items())
        for part in _parts(rule, costs.get(source, Decimal(0)))
    ]
    if of_bucket is None:
        return parts
    left = unallocated(parts)
    again = _parts(of_bucket, left)
    return [*parts, *(part for part in again if part.target != BUCKET)]


def unallocated(parts: Iterable[SplitPart]) -> Decimal:
    """What is in the bucket when all parts are taken."""
    return received(parts, BUCKET)


def received(parts: Iterable[SplitPart], name: str) -> Decimal:
    """What a cost centre or the bucket receives, less what it gives away."""
    return sum(
        (
            part.amount * ((part.target == name) - (part.source == name))
            for part in parts
            if name in (part.source, part.target)
        ),
        Decimal(0),
    )


def mark_up(cost: Decimal, percent: Decimal) -> Decimal:
    """What a mark-up (or, below zero, a discount) adds to a cost."""
    return (cost * percent / _ALL).quantize(_SMALLEST, ROUND_HALF_UP)


def divide(amount: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """`amount` in parts by weight that add up to it: the largest remainders are rounded up.

    Equal remainders are taken in the order of names. Weights are not below zero, and one is above.
    """
    total = Fraction(sum(weights.values(), Decimal(0)))
    units = int(abs(amount).scaleb(_PLACES))
    exact = {name: units * Fraction(weight) / total for name, weight in weights.items()}
    floors = {name: int(share) for name, share in exact.items()}
    missing = units - sum(floors.values())
    by_remainder = sorted(exact, key=lambda name: (floors[name] - exact[name], name))
    for name in by_remainder[:missing]:
        floors[name] += 1
    sign = -1 if amount < 0 else 1
    return {name: Decimal(sign * floor).scaleb(-_PLACES) for name, floor in floors.items()}


def _parts(rule: SplitRule, amount: Decimal) -> Iterator[SplitPart]:
    if not amount:
        return
    weights = _weights(rule)
    total = sum(weights.values(), Decimal(0))
    for target, part in divide(amount, weights).items():
        if part:
            yield SplitPart(rule.source, target, rule.method, weights[target], total, part)


def _weights(rule: SplitRule) -> dict[str, Decimal]:
    """The weights of the targets and the bucket, of which one is above zero."""
    if rule.method == "even":
        weights = dict.fromkeys(rule.weights, Decimal(1))
    else:
        weights = {name: weight for name, weight in rule.weights.items() if weight > 0}
    total = sum(weights.values(), Decimal(0))
    if rule.method == "fixed" and total < _ALL:
        return {**weights, BUCKET: _ALL - total}
    return weights or {BUCKET: Decimal(1)}
