"""A generated month, as Butler metered it and as a provider bills it, with planted differences.

Half of the keys are billed call by call, with request ids; the others by day, model and kind of
token. So each kind of difference is planted in both ways where it can be.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

from treasury.reconciliation.differences import Group, OwnCall, OwnSum
from treasury.reconciliation.lines import Line, LineKind

FIRST, DAYS = date(2026, 3, 1), 31
KEYS = [f"key-{number}" for number in range(16)]
MODELS = {"small": (Decimal("0.4"), Decimal("1.6")), "large": (Decimal("3"), Decimal("15"))}
MILLION = Decimal(10**6)
KINDS = (
    *("missing_day", "missing_call", "double", "price", "other_name", "other_day"),
    *("tax", "refund", "currency", "rounding"),
)


class Call(NamedTuple):
    """A call of the month."""

    number: int
    group: Group
    input: int
    output: int

    @property
    def costs(self) -> tuple[Decimal, Decimal]:
        """What input and output cost."""
        rates = MODELS[self.group.model]
        return self.input * rates[0] / MILLION, self.output * rates[1] / MILLION

    @property
    def cost(self) -> Decimal:
        """What it costs."""
        return sum(self.costs)


@dataclass
class Month:
    """Both sides, and what was planted: the kind by group."""

    calls: list[Call]
    planted: dict[Group, str] = field(default_factory=dict)
    billed: dict[Group, list[Line]] = field(default_factory=dict)

    @property
    def own(self) -> list[OwnSum]:
        """What Butler metered."""
        groups = by_group(self.calls)
        return [
            OwnSum(group, sum(c.cost for c in calls), counted(calls))
            for group, calls in groups.items()
        ]

    @property
    def own_calls(self) -> list[OwnCall]:
        """The calls of Butler with their ids."""
        return [OwnCall(f"req-{c.number}", c.number, c.group, c.cost) for c in self.calls]

    @property
    def lines(self) -> list[Line]:
        """What the provider bills."""
        return [line for lines in self.billed.values() for line in lines]


def by_group(calls) -> dict[Group, list[Call]]:
    """The calls of each group."""
    groups = defaultdict(list)
    for call in calls:
        groups[call.group].append(call)
    return groups


def counted(calls) -> dict[str, Decimal]:
    """Their quantities."""
    return {
        LineKind.CALLS: Decimal(len(calls)),
        LineKind.INPUT: Decimal(sum(c.input for c in calls)),
        LineKind.OUTPUT: Decimal(sum(c.output for c in calls)),
    }


def is_itemised(group: Group) -> bool:
    """Whether the provider bills the key call by call."""
    return int(group.key.removeprefix("key-")) % 2 == 0


def bill(group: Group, calls: list[Call]) -> list[Line]:
    """How the provider bills the calls of a group."""
    if is_itemised(group):
        return [Line(*group, "cost", None, c.cost, "USD", f"req-{c.number}") for c in calls]
    quantities = counted(calls)
    return [
        Line(*group, LineKind.COST, None, sum(c.costs[0] for c in calls)),
        Line(*group, LineKind.COST, None, sum(c.costs[1] for c in calls)),
        *(Line(*group, kind, quantity, None) for kind, quantity in quantities.items()),
    ]


def clean_month(count: int, seed: int = 0) -> Month:
    """`count` calls that both sides have in the same way."""
    random = Random(seed)
    calls = []
    for number in range(count):
        day = FIRST + timedelta(days=random.randrange(DAYS))
        group = Group(day, random.choice(KEYS), random.choice(list(MODELS)))
        calls.append(
            Call(number, group, random.randrange(20_000, 900_000), random.randrange(5_000, 60_000))
        )
    month = Month(calls)
    month.billed = {group: bill(group, each) for group, each in by_group(calls).items()}
    return month


def plant(month: Month, each: int = 20, seed: int = 1) -> Month:
    """Plant `each` differences of each kind in groups of their own, and far enough apart."""
    random = Random(seed)
    groups = sorted(month.billed)
    random.shuffle(groups)
    used: set[Group] = set()
    for kind in KINDS:
        todo = each
        for group in groups:
            if todo and _is_free(month, group, used, kind):
                _PLANTERS[kind](month, group)
                month.planted[group] = kind
                used.add(group)
                todo -= 1
        assert not todo, f"no room for {todo} more of {kind}"
    return month


def _is_free(month: Month, group: Group, used: set[Group], kind: str) -> bool:
    """That no other planted difference is of the key on this or the next days."""
    near = {group.day + timedelta(days=n) for n in (-1, 0, 1)}
    own_calls = [c for c in month.calls if c.group == group] if kind == "missing_call" else [0, 0]
    return (
        len(own_calls) > 1
        and group._replace(day=group.day + timedelta(days=1)) in month.billed
        and not any(g.key == group.key and g.day in near for g in used)
    )


def _missing_day(month, group):
    for model in MODELS:
        month.billed.pop(group._replace(model=model), None)


def _missing_call(month, group):
    calls = [c for c in month.calls if c.group == group]
    month.billed[group] = bill(group, calls[1:])


def _double(month, group):
    lines = month.billed[group]
    month.billed[group] = [*lines, *(lines[:1] if is_itemised(group) else lines)]


def _price(month, group):
    month.billed[group] = [
        line._replace(amount=line.amount and line.amount * Decimal("1.25"))
        for line in month.billed[group]
    ]


def _other_name(month, group):
    month.billed[group] = [
        line._replace(model=f"vendor/{line.model}-2026-01-01") for line in month.billed[group]
    ]


def _other_day(month, group):
    """The first call, or the first amount, is billed a day later."""
    first, *rest = month.billed[group]
    after = group._replace(day=group.day + timedelta(days=1))
    month.billed[group] = rest
    month.billed[after] = [*month.billed[after], first._replace(day=after.day)]


def _tax(month, group):
    month.billed[group] = [*month.billed[group], Line(*group, "tax", None, Decimal("1.90"))]


def _refund(month, group):
    month.billed[group] = [*month.billed[group], Line(*group, "refund", None, Decimal("-2.5"))]


def _currency(month, group):
    month.billed[group] = [line._replace(currency="EUR") for line in month.billed[group]]


def _rounding(month, group):
    """Each amount is rounded up to whole cents; enough of them that it shows."""
    calls = [c for c in month.calls if c.group == group]
    small = [
        c._replace(input=20_001 + n, output=5_003, number=10**7 + calls[0].number * 1000 + n)
        for n, c in enumerate(calls * 12)
    ]
    month.calls = [c for c in month.calls if c.group != group] + small
    up = [round(c.cost + Decimal("0.005"), 2) for c in small]
    quantities = (
        []
        if is_itemised(group)
        else [Line(*group, kind, quantity, None) for kind, quantity in counted(small).items()]
    )
    month.billed[group] = quantities + [
        Line(*group, "cost", None, amount, "USD", f"req-{c.number}" if is_itemised(group) else "")
        for c, amount in zip(small, up, strict=True)
    ]


_PLANTERS = {
    "missing_day": _missing_day,
    "missing_call": _missing_call,
    "double": _double,
    "price": _price,
    "other_name": _other_name,
    "other_day": _other_day,
    "tax": _tax,
    "refund": _refund,
    "currency": _currency,
    "rounding": _rounding,
}
