"""The spend of a view by group and subgroup, now and in the period before."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from dashboard.spend.dimensions import DIMENSIONS
from dashboard.spend.query import SpendQuery
from keys.books.queries.spend import Spend, SpendFilter, spend_by_part, sum_of

Spends = Mapping[str, Spend]
_NOTHING = Spend()


@dataclass(frozen=True)
class Breakdown:
    """The spend of each subgroup of each group of a view, now and in the period before, and what
    they add up to. Without subgroups, each group has one, which has no name."""

    view: SpendQuery
    parts_now: Mapping[str, Spends]
    parts_before: Mapping[str, Spends]

    @cached_property
    def now(self) -> Spends:
        """The spend of each group."""
        return _sums(self.parts_now)

    @cached_property
    def before(self) -> Spends:
        """The spend of each group in the period before."""
        return _sums(self.parts_before)

    @cached_property
    def total(self) -> Spend:
        """The spend of all groups."""
        return sum_of(self.now.values())

    @cached_property
    def total_before(self) -> Spend:
        """The spend of all groups in the period before."""
        return sum_of(self.before.values())

    def of_group(self, group: str) -> tuple[Spends, Spends]:
        """The spend of each subgroup of a group, now and in the period before."""
        return self.parts_now.get(group, {}), self.parts_before.get(group, {})

    def subgroups(self, group: str) -> int:
        """How many subgroups of a group have spend in one of the periods."""
        now, before = self.of_group(group)
        return len({*now, *before})


def breakdown(view: SpendQuery) -> Breakdown:
    """The spend of the view; two queries, one without a comparison."""
    before = _parts(view, view.previous) if view.compares else {}
    return Breakdown(view, _parts(view, view.which), before)


def _parts(view: SpendQuery, which: SpendFilter) -> Mapping[str, Spends]:
    then_by = DIMENSIONS[view.subgroup].by if view.subgroup else ""
    by = DIMENSIONS[view.by].by
    parts: dict[str, dict[str, Spend]] = defaultdict(dict)
    for each in spend_by_part(which, by=by, then_by=then_by, within_centre=view.level):
        parts[each.group][each.subgroup] = each.spend
    return parts


def _sums(parts: Mapping[str, Spends]) -> Spends:
    return {group: sum_of(spends.values()) for group, spends in parts.items()}


def largest(now: Spends, before: Spends, metric: str) -> list[str]:
    """All groups: those with the largest figure first, those that spend nothing any more last."""

    def place(group: str) -> tuple[Decimal | int, Decimal, str]:
        figure = measure(now.get(group, _NOTHING), metric)
        return -(figure or 0), -before.get(group, _NOTHING).cost, group

    return sorted({*now, *before}, key=place)


def measure(spend: Spend, metric: str) -> Decimal | int | None:
    """The figure of some spend; None for the cost per call without a call."""
    return cost_per_call(spend) if metric == "cost_per_call" else getattr(spend, metric)


def cost_per_call(spend: Spend) -> Decimal | None:
    """USD with nine places; None without a call."""
    return round(spend.cost / spend.calls, 9) if spend.calls else None
