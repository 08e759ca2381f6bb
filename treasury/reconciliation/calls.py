"""Match single calls by the ids that the provider gave them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from treasury.reconciliation.differences import (
    ZERO,
    Difference,
    DifferenceKind,
    Group,
    OwnCall,
    OwnSum,
    Tolerance,
)
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.rounding import rounded_away

_Kind = DifferenceKind


class Billed(NamedTuple):
    """A call as the provider bills it, without repetitions."""

    group: Group
    lines: list[Line]

    @property
    def amount(self) -> Decimal:
        return sum((line.amount or ZERO for line in self.lines), ZERO)


class Pair(NamedTuple):
    """A call on both sides."""

    own: OwnCall
    billed: Billed


def match_calls(
    sums: dict[Group, OwnSum], lines: list[Line], calls: Iterable[OwnCall], tolerance: Tolerance
) -> tuple[list[Difference], dict[Group, OwnSum], list[Line]]:
    """The differences of single calls; then the sums and lines without these calls."""
    calls = list(calls)
    lines = _without_ids_of_missing_days(sums, lines, calls)
    named = [line for line in lines if line.request_id and line.amount is not None]
    if not named:
        return [], sums, lines
    rest = [line for line in lines if not line.request_id]
    billed, found = _billed(named)
    compared = _compared(calls, billed, rest)
    pairs = [Pair(call, billed[number]) for number, call in compared.items() if number in billed]
    found += [_not_billed(call) for number, call in compared.items() if number not in billed]
    found += [
        _not_metered(number, each) for number, each in billed.items() if number not in compared
    ]
    found += moved_calls(pairs) + call_prices(pairs, tolerance)
    return found, _without(sums, compared.values()), rest


def billed_calls(lines: Iterable[Line]) -> dict[str, Decimal]:
    """What is billed in USD for each request id, without what is billed more than once."""
    named = [line for line in lines if line.request_id and line.amount is not None]
    foreign = {line.request_id for line in named if line.currency != "USD"}
    costs = [line for line in named if line.kind == LineKind.COST]
    billed, _ = _billed([line for line in costs if line.request_id not in foreign])
    return {number: each.amount for number, each in billed.items()}


def _without_ids_of_missing_days(
    sums: dict[Group, OwnSum], lines: list[Line], calls: Iterable[OwnCall]
) -> list[Line]:
    """A day and key of which Butler has nothing is one difference, not one for each call."""
    days = {group[:2] for group in sums}
    known = {call.request_id for call in calls}
    return [
        line
        if line.request_id in known or (line.day, line.key) in days
        else line._replace(request_id="")
        for line in lines
    ]


def _billed(named: list[Line]) -> tuple[dict[str, Billed], list[Difference]]:
    """Each call once, and what is billed more than once."""
    once: dict[str, dict[tuple[str, str], Line]] = defaultdict(dict)
    again: dict[str, list[Line]] = defaultdict(list)
    for line in named:
        kinds = once[line.request_id]
        if (line.kind, line.model) in kinds:
            again[line.request_id].append(line)
        else:
            kinds[line.kind, line.model] = line
    billed = {
        number: Billed(_group(next(iter(kinds.values()))), list(kinds.values()))
        for number, kinds in once.items()
    }
    return billed, [
        Difference(
            _Kind.DOUBLE,
            billed[number].group,
            ZERO,
            sum((line.amount or ZERO for line in repeated), ZERO),
            f"The provider bills request {number} again: {len(repeated)} more lines of it.",
            request_id=number,
        )
        for number, repeated in again.items()
    ]


def _group(line: Line) -> Group:
    return Group(line.day, line.key, line.model)


def _compared(
    calls: Iterable[OwnCall], billed: dict[str, Billed], rest: list[Line]
) -> dict[str, OwnCall]:
    """The calls that the provider names, and others of days and keys of which it names all."""
    named = {each.group[:2] for each in billed.values()}
    summed = {_group(line) for line in rest}
    return {
        call.request_id: call
        for call in calls
        if call.request_id in billed or call.group[:2] in named and call.group not in summed
    }


def _not_billed(call: OwnCall) -> Difference:
    return Difference(
        _Kind.MISSING_CALL,
        call.group,
        call.cost,
        ZERO,
        f"The provider does not bill request {call.request_id}, charge {call.charge_id} here; it "
        "bills others of that day.",
        call.request_id,
        call.charge_id,
    )


def _not_metered(number: str, billed: Billed) -> Difference:
    return Difference(
        _Kind.MISSING_CALL,
        billed.group,
        ZERO,
        billed.amount,
        f"Butler has no charge with the request id {number}.",
        number,
    )


def moved_calls(pairs: list[Pair]) -> list[Difference]:
    """Calls that the provider bills on another day, or under another name."""
    moved: dict[tuple[str, Group, Group], list[Pair]] = defaultdict(list)
    for pair in pairs:
        mine, theirs = pair.own.group, pair.billed.group
        if mine[1:] != theirs[1:]:
            moved[_Kind.OTHER_NAME, mine, theirs].append(pair)
        elif mine.day != theirs.day:
            moved[_Kind.OTHER_DAY, mine, theirs].append(pair)
    return [_move(*key, each) for key, each in moved.items()]


def _move(kind: str, mine: Group, theirs: Group, pairs: list[Pair]) -> Difference:
    own = sum((pair.own.cost for pair in pairs), ZERO)
    amount = sum((pair.billed.amount for pair in pairs), ZERO)
    is_day = kind == _Kind.OTHER_DAY
    there = f"on {theirs.day}" if is_day else f"as {theirs.key} {theirs.model}"
    evidence = f"{len(pairs)} calls with the same request ids: the provider has them {there}."
    only = pairs[0].own if len(pairs) == 1 else None
    return Difference(
        kind,
        mine,
        own,
        amount,
        evidence,
        only.request_id if only else "",
        only.charge_id if only else None,
        their_key="" if is_day else theirs.key,
        their_model="" if is_day else theirs.model,
    )


def call_prices(pairs: list[Pair], tolerance: Tolerance) -> list[Difference]:
    """A difference of each group whose calls are the same, but cost something else."""
    groups: dict[Group, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.own.group].append(pair)
    found = []
    for group, each in groups.items():
        own = sum((pair.own.cost for pair in each), ZERO)
        theirs = sum((pair.billed.amount for pair in each), ZERO)
        if not tolerance.allows(own, theirs):
            found.append(_price(group, own, theirs, each))
    return found


def _price(group: Group, own: Decimal, theirs: Decimal, pairs: list[Pair]) -> Difference:
    lines = [line.amount or ZERO for pair in pairs for line in pair.billed.lines]
    if evidence := rounded_away(theirs - own, lines):
        return Difference(_Kind.ROUNDING, group, own, theirs, evidence)
    others = [pair for pair in pairs if pair.billed.amount != pair.own.cost]
    ratios = Counter(
        round(pair.billed.amount / pair.own.cost, 3) for pair in others if pair.own.cost
    )
    ratio = f", most of them {ratios.most_common(1)[0][0]} times as much" if ratios else ""
    evidence = f"{len(others)} of {len(pairs)} calls cost something else at the provider{ratio}."
    only = others[0].own if len(others) == 1 else None
    return Difference(
        _Kind.PRICE,
        group,
        own,
        theirs,
        evidence,
        only.request_id if only else "",
        only.charge_id if only else None,
    )


def _without(sums: dict[Group, OwnSum], calls: Iterable[OwnCall]) -> dict[Group, OwnSum]:
    """What is left of the sums. Quantities of calls are not known, so those of a group that had
    some are not compared any more."""
    taken: dict[Group, Decimal] = defaultdict(Decimal)
    for call in calls:
        taken[call.group] += call.cost
    left = {
        group: OwnSum(group, each.cost - taken[group], {}) if group in taken else each
        for group, each in sums.items()
    }
    return {group: each for group, each in left.items() if group not in taken or each.cost}
