"""Explain differences of sums by single calls that the provider was asked for by their ids."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from treasury.reconciliation.calls import Billed, Pair, call_prices, moved_calls
from treasury.reconciliation.differences import (
    ZERO,
    Difference,
    DifferenceKind,
    Group,
    Names,
    OwnCall,
    Tolerance,
)
from treasury.reconciliation.lines import Line

_Kind = DifferenceKind
# The kinds of sums that single calls can say more about.
ASKABLE = (_Kind.MISSING_DAY, _Kind.MISSING_CALL, _Kind.PRICE, _Kind.UNEXPLAINED)
_LEFT = "Without the calls that the provider was asked for one by one."


def explain_by_calls(
    found: Sequence[Difference],
    calls: Iterable[OwnCall],
    asked: Iterable[Line],
    *,
    names: Names,
    tolerance: Tolerance,
) -> list[Difference]:
    """The differences, with those of calls in the place of the sums that these explain.

    `asked`: a line for each call that was asked for; one without an amount is a call that the
    provider does not know. What a sum differs by besides stays its difference.
    """
    told = {line.request_id: line for line in asked}
    mine = [call for call in calls if call.request_id in told]
    groups = {each.group for each in found if not each.request_id and each.currency == "USD"}
    state = _State(told, groups, names, tolerance)
    for each in found:
        if is_askable(each):
            state.take(each, [call for call in mine if is_of(call.group, each.group)])
    return state.details + [left for each in found for left in state.left(each)]


def is_askable(each: Difference) -> bool:
    """Whether it is of a sum of calls that Butler metered."""
    return each.kind in ASKABLE and not each.request_id and each.own > 0 and each.currency == "USD"


def is_of(group: Group, whole: Group) -> bool:
    """Whether a group is part of another, whose blank names stand for all."""
    return all(mine == other or not other for mine, other in zip(group, whole, strict=True))


class _State:
    """What calls explain of which sum."""

    def __init__(
        self, told: dict[str, Line], groups: set[Group], names: Names, tolerance: Tolerance
    ) -> None:
        self._told, self._groups = told, groups
        self._names, self._tolerance = names, tolerance
        self._own: dict[Group, Decimal] = defaultdict(Decimal)
        self._theirs: dict[Group, Decimal] = defaultdict(Decimal)
        self.details: list[Difference] = []

    def take(self, sum_: Difference, calls: list[OwnCall]) -> None:
        """Explain a sum by calls of it."""
        pairs = []
        for call in calls:
            # Who has no names of keys in its reports tells none of a call either.
            call = call._replace(group=call.group._replace(key=sum_.group.key))
            line = self._told[call.request_id]
            if line.amount is None:
                self._explained(sum_.group, call.cost, sum_.group, ZERO)
                self.details.append(_unknown(call))
            else:
                pairs.append(Pair(call, Billed(self._their_group(call, line), [line])))
        # Calls that cost the same say nothing.
        same = [
            pair
            for pair in pairs
            if pair.own.group == pair.billed.group and pair.own.cost != pair.billed.amount
        ]
        # What is billed elsewhere, where the sum differs, too: else it is no explanation.
        moved = [
            pair
            for pair in pairs
            if pair.own.group != pair.billed.group and pair.billed.group in self._groups
        ]
        prices = call_prices(same, self._tolerance)
        priced = {each.group for each in prices}
        for pair in same:
            if pair.own.group in priced:
                self._explained(sum_.group, pair.own.cost, sum_.group, pair.billed.amount)
        for pair in moved:
            self._explained(sum_.group, pair.own.cost, pair.billed.group, pair.billed.amount)
        self.details += moved_calls(moved) + prices

    def left(self, each: Difference) -> list[Difference]:
        """What is not explained of a difference; none if that is within the tolerance."""
        group = each.group
        if each.request_id or group not in self._own and group not in self._theirs:
            return [each]
        own = each.own - self._own.get(group, ZERO)
        theirs = each.theirs - self._theirs.get(group, ZERO)
        if self._tolerance.allows(own, theirs):
            return []
        return [each._replace(own=own, theirs=theirs, evidence=f"{each.evidence} {_LEFT}")]

    def _their_group(self, call: OwnCall, line: Line) -> Group:
        model = self._names.models.get(line.model, line.model)
        return Group(line.day, call.group.key, model)

    def _explained(self, mine: Group, own: Decimal, other: Group, theirs: Decimal) -> None:
        self._own[mine] += own
        self._theirs[other] += theirs


def _unknown(call: OwnCall) -> Difference:
    return Difference(
        _Kind.MISSING_CALL,
        call.group,
        call.cost,
        ZERO,
        f"The provider, asked for it, does not know request {call.request_id} of charge "
        f"{call.charge_id}.",
        call.request_id,
        call.charge_id,
    )
