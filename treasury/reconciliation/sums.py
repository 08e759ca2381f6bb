"""Match sums by UTC day, key and model, and name what differs.

The kinds are tried in one order; each takes the groups that it explains from those that are left.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from treasury.reconciliation.differences import (
    ZERO,
    Difference,
    DifferenceKind,
    Group,
    OwnSum,
    Tolerance,
)
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.rounding import rounded_away
from treasury.reconciliation.same_amount import SameAmount
from treasury.reconciliation.sides import Open, Side

_Kind = DifferenceKind
_DAY = timedelta(days=1)
# A date at the end of a model's name, as in gpt-4o-2024-08-06 or claude-sonnet-20250514.
_VERSION = re.compile(r"[-@]?(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_COMPARED = (LineKind.CALLS, LineKind.INPUT, LineKind.OUTPUT)
_DOUBLE_MAX = 5


def match_sums(
    sums: dict[Group, OwnSum], lines: list[Line], tolerance: Tolerance
) -> list[Difference]:
    """The differences between sums."""
    sides = _sides(sums, lines)
    left = {
        group: side
        for group, side in sides.items()
        if not tolerance.allows(side.own, side.theirs) or _counts_differ(side)
    }
    found: list[Difference] = []
    for name in (_doubles, _other_names, _other_days, _missing_days):
        found += name(left, sides, tolerance)
    for side in left.values():
        found.append(_of_one(side, tolerance))
    return found


def _sides(sums: dict[Group, OwnSum], lines: list[Line]) -> Open:
    sides: Open = {}
    for group, each in sums.items():
        sides[group] = Side(group, each.cost, dict(each.quantities), is_metered=True)
    for line in lines:
        group = Group(line.day, line.key, line.model)
        sides.setdefault(group, Side(group)).lines.append(line)
    return sides


def _counts_differ(side: Side) -> bool:
    """Calls are counted, not measured: one too few is a difference, however little it costs."""
    theirs = side.quantities.get(LineKind.CALLS)
    return bool(side.gap) and theirs is not None and theirs != _own_calls(side)


def _own_calls(side: Side) -> Decimal:
    return side.own_quantities.get(LineKind.CALLS, ZERO)


def _doubles(left: Open, sides: Open, tolerance: Tolerance) -> list[Difference]:
    found = []
    for group, side in list(left.items()):
        if evidence := _repeated(side, tolerance) or _multiple(side, tolerance):
            found.append(side.difference(_Kind.DOUBLE, evidence))
            del left[group]
    return found


def _repeated(side: Side, tolerance: Tolerance) -> str:
    """Lines that are there more than once, without which both sides agree."""
    counts = Counter(line for line in side.lines if line.amount)
    extra = sum((line.amount * (count - 1) for line, count in counts.items() if line.amount), ZERO)
    if not extra or not side.is_metered or not tolerance.allows(side.own, side.theirs - extra):
        return ""
    lines = sum(count - 1 for count in counts.values())
    return f"{lines} of the provider's lines are there again. Without them, both sides agree."


def _multiple(side: Side, tolerance: Tolerance) -> str:
    """One side is a whole multiple of the other, in money and in what was counted."""
    for times in range(2, _DOUBLE_MAX + 1):
        for mine, other, who in (
            (side.own * times, side.theirs, "The provider has"),
            (side.own, side.theirs * times, "Butler has"),
        ):
            if not (side.own and side.theirs and tolerance.allows(mine, other)):
                continue
            if all(
                tolerance.same_quantity(*each)
                for each in _pairs(side, times if who.startswith("The") else Decimal(1) / times)
            ):
                return f"{who} exactly {times} times the amount and the quantities."
    return ""


def _pairs(side: Side, times: Decimal | int = 1) -> list[tuple[Decimal, Decimal]]:
    """Quantities that both sides tell: Butler's times `times`, and the provider's."""
    theirs = side.quantities
    return [
        (side.own_quantities[kind] * times, theirs[kind])
        for kind in _COMPARED
        if kind in theirs and kind in side.own_quantities
    ]


def _other_names(left: Open, sides: Open, tolerance: Tolerance) -> list[Difference]:
    mine = [side for side in left.values() if side.is_metered and not side.amounts]
    others = [side for side in left.values() if not side.is_metered and side.amounts]
    found = []
    # First those with the same amount, then those whose names alone are alike.
    for candidates in (SameAmount(others, tolerance), _SameName(others)):
        for side in mine:
            if side.group not in left:
                continue
            other = candidates.first(side, left)
            if other:
                found.append(_renamed(side, other))
                del left[side.group], left[other.group]
    return found


class _SameName:
    """The sides of a day and key whose models have the same plain name, first things first."""

    def __init__(self, others: list[Side]) -> None:
        self._named: dict[tuple[date, str, str], deque[Side]] = defaultdict(deque)
        for side in others:
            self._named[self._name(side.group)].append(side)

    def first(self, side: Side, left: Open) -> Side | None:
        """The first of them that is left."""
        named = self._named.get(self._name(side.group), deque())
        while named and named[0].group not in left:
            named.popleft()
        return named[0] if named else None

    @staticmethod
    def _name(group: Group) -> tuple[date, str, str]:
        return group.day, group.key, _plain(group.model)


def _plain(model: str) -> str:
    """A model's name without its seller, version and upper case."""
    return _VERSION.sub("", model.lower().rpartition("/")[2])


def _renamed(side: Side, other: Side) -> Difference:
    theirs = other.group.model if side.group.key == other.group.key else other.group.key
    evidence = f"The provider has it as {theirs}, which Butler does not know; Butler has no other."
    return Difference(
        _Kind.OTHER_NAME,
        side.group,
        side.own,
        other.theirs,
        evidence,
        their_key=other.group.key,
        their_model=other.group.model,
    )


def _other_days(left: Open, sides: Open, tolerance: Tolerance) -> list[Difference]:
    found = []
    for group, side in sorted(left.items()):
        after = left.get(group._replace(day=group.day + _DAY))
        if group in left and after and tolerance.allows(side.gap, -after.gap):
            evidence = (
                f"{abs(side.gap):f} USD too {'much' if side.gap > 0 else 'little'} on this day, "
                f"and the opposite on {after.group.day}."
            )
            found.append(side.difference(_Kind.OTHER_DAY, evidence))
            del left[group], left[after.group]
    return found


def _missing_days(left: Open, sides: Open, tolerance: Tolerance) -> list[Difference]:
    """Days of a key of which one side has nothing."""
    days: dict[tuple[date, str], list[Side]] = defaultdict(list)
    for side in sides.values():
        days[side.group[:2]].append(side)
    found = []
    for (day, key), each in days.items():
        mine = any(side.is_metered and side.own for side in each)
        theirs = any(side.amounts for side in each)
        if mine == theirs or not any(side.group in left for side in each):
            continue
        who = "The provider" if mine else "Butler"
        found.append(
            Difference(
                _Kind.MISSING_DAY,
                Group(day, key, ""),
                sum((side.own for side in each), ZERO),
                sum((side.theirs for side in each), ZERO),
                f"{who} has nothing of this day and key.",
            )
        )
        for side in each:
            left.pop(side.group, None)
    return found


def _of_one(side: Side, tolerance: Tolerance) -> Difference:
    for kind, explain in _EXPLANATIONS:
        if evidence := explain(side, tolerance):
            return side.difference(kind, evidence)
    return side.difference(_Kind.UNEXPLAINED, "No kind of difference explains it.")


def _missing_calls(side: Side, tolerance: Tolerance) -> str:
    """One side has counted less, and costs less."""
    if not side.amounts or not side.is_metered:
        who = "Butler" if side.amounts else "The provider"
        return f"{who} has no calls of this model on this day, but others of the key."
    pairs = _pairs(side)
    fewer = [theirs < own for own, theirs in pairs if not tolerance.same_quantity(own, theirs)]
    if _counts_differ(side):
        fewer.append(side.quantities[LineKind.CALLS] < _own_calls(side))
    if not fewer or any(each != (side.gap < 0) for each in fewer):
        return ""
    theirs = side.quantities
    told = [
        f"{kind.replace('_', ' ')} {side.own_quantities[kind]:f} here, {theirs[kind]:f} there"
        for kind in _COMPARED
        if kind in theirs and kind in side.own_quantities
    ]
    return f"{'The provider' if side.gap < 0 else 'Butler'} has counted less: {'; '.join(told)}."


def _roundings(side: Side, tolerance: Tolerance) -> str:
    return rounded_away(side.gap, side.amounts)


def _prices(side: Side, tolerance: Tolerance) -> str:
    """Both sides have counted the same."""
    pairs = _pairs(side)
    if not pairs or not side.own or not all(tolerance.same_quantity(*each) for each in pairs):
        return ""
    return (
        f"The quantities agree, and the provider takes {side.theirs / side.own:.3f} times as much."
    )


_EXPLANATIONS: tuple[tuple[str, Callable[[Side, Tolerance], str]], ...] = (
    (_Kind.MISSING_CALL, _missing_calls),
    (_Kind.ROUNDING, _roundings),
    (_Kind.PRICE, _prices),
)
