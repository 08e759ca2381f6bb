"""Match what a provider reports with what Butler metered, and name each difference.

Lines that say what they are come first (other currencies, taxes, refunds), then single calls by
their request ids, then the sums of what is left by UTC day, key and model.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from treasury.reconciliation.calls import match_calls
from treasury.reconciliation.differences import (
    ZERO,
    Difference,
    DifferenceKind,
    Group,
    Names,
    OwnCall,
    OwnSum,
    Tolerance,
)
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.sums import match_sums


def match(
    own: Iterable[OwnSum],
    lines: Sequence[Line],
    *,
    calls: Iterable[OwnCall] = (),
    names: Names = Names(),  # noqa: B008 - frozen
    tolerance: Tolerance = Tolerance(),  # noqa: B008 - frozen
) -> list[Difference]:
    """The differences between both sides, by day. A day with charges and no lines is missing.

    `calls` are among `own`; those that the lines do not name one by one are compared in their sums.
    """
    level = _Level(lines)
    lines = [level.of_line(_renamed(line, names)) for line in lines]
    sums = _added(level.of_sum(each) for each in own)
    calls = [each._replace(group=level.of(each.group)) for each in calls]
    told, lines, foreign = _set_apart(lines, sums)
    sums = {group: each for group, each in sums.items() if group not in foreign}
    calls = [each for each in calls if each.group not in foreign]
    of_calls, sums, lines = match_calls(sums, lines, calls, tolerance)
    found = told + of_calls + match_sums(sums, lines, tolerance)
    return sorted(found, key=lambda each: (each.group, each.kind, each.request_id))


class _Level:
    """The names that lines of costs tell at all: what none of them has is not compared."""

    def __init__(self, lines: Sequence[Line]) -> None:
        costs = [line for line in lines if line.kind == LineKind.COST]
        self.has_keys = any(line.key for line in costs)
        self.has_models = any(line.model for line in costs)

    def of(self, group: Group) -> Group:
        return Group(
            group.day,
            group.key if self.has_keys else "",
            group.model if self.has_models else "",
        )

    def of_line(self, line: Line) -> Line:
        return line._replace(**self.of(Group(line.day, line.key, line.model))._asdict())

    def of_sum(self, each: OwnSum) -> OwnSum:
        return OwnSum(self.of(each.group), each.cost, each.quantities)


def _renamed(line: Line, names: Names) -> Line:
    return line._replace(
        key=names.keys.get(line.key, line.key), model=names.models.get(line.model, line.model)
    )


def _added(own: Iterable[OwnSum]) -> dict[Group, OwnSum]:
    sums: dict[Group, OwnSum] = {}
    for each in own:
        before = sums.get(each.group)
        if before is None:
            sums[each.group] = each
            continue
        quantities = dict(before.quantities)
        for kind, quantity in each.quantities.items():
            quantities[kind] = quantities.get(kind, ZERO) + quantity
        sums[each.group] = OwnSum(each.group, before.cost + each.cost, quantities)
    return sums


def _set_apart(
    lines: list[Line], sums: dict[Group, OwnSum]
) -> tuple[list[Difference], list[Line], set[Group]]:
    """The differences that lines tell themselves, the other lines, and the groups that are billed
    in other currencies, of which nothing can be compared."""
    apart: dict[tuple[str, Group, str], list[Line]] = defaultdict(list)
    rest = []
    for line in lines:
        group = Group(line.day, line.key, line.model)
        if line.kind in (LineKind.TAX, LineKind.REFUND):
            apart[line.kind, group, line.currency].append(line)
        elif line.amount is not None and line.currency != "USD":
            apart[DifferenceKind.CURRENCY, group, line.currency].append(line)
        else:
            rest.append(line)
    foreign = {group for kind, group, _ in apart if kind == DifferenceKind.CURRENCY}
    rest = [line for line in rest if Group(line.day, line.key, line.model) not in foreign]
    found = [_told(*key, each, sums) for key, each in apart.items()]
    return [each for each in found if each.theirs or each.own], rest, foreign


def _told(
    kind: str, group: Group, currency: str, lines: list[Line], sums: dict[Group, OwnSum]
) -> Difference:
    theirs = sum((line.amount or ZERO for line in lines), ZERO)
    own = ZERO
    evidence = f"{len(lines)} of the provider's lines say {kind}."
    if kind == DifferenceKind.CURRENCY:
        own = sums[group].cost if group in sums else ZERO
        evidence = f"The provider bills in {currency}; Butler meters in USD. {theirs:f} {currency}."
    return Difference(kind, group, own, theirs, evidence, currency=currency)
