"""Both sides of what is compared."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from treasury.reconciliation.differences import ZERO, Difference, Group
from treasury.reconciliation.lines import Line


@dataclass
class Side:
    """Both sides of a group. Its lines do not change once one of their sums was asked for."""

    group: Group
    own: Decimal = ZERO
    own_quantities: dict[str, Decimal] = field(default_factory=dict)
    is_metered: bool = False
    lines: list[Line] = field(default_factory=list)

    @cached_property
    def amounts(self) -> list[Decimal]:
        return [line.amount for line in self.lines if line.amount is not None]

    @cached_property
    def theirs(self) -> Decimal:
        return sum(self.amounts, ZERO)

    @cached_property
    def gap(self) -> Decimal:
        return self.theirs - self.own

    @cached_property
    def quantities(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            if line.quantity is not None:
                found[line.kind] += line.quantity
        return found

    def difference(self, kind: str, evidence: str) -> Difference:
        return Difference(kind, self.group, self.own, self.theirs, evidence)


# The sides whose difference has no kind yet.
Open = dict[Group, Side]
