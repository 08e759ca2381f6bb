"""Match the lines of statements with the transfers of the same account, and say what is left.

Pure rules, from the surest to the least sure: the same reference and amount; the same reference and
the sum of transfers that belong together, such as a payment with its fee; the same amount within a
few days. What is left on either side is a difference with its evidence.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeVar

from treasury.rail_statements.movements import MovementKind
from treasury.reconciliation.differences import ZERO

# How far days of the two sides may lie apart: with the same reference, and with the amount alone.
REFERENCE_DAYS, AMOUNT_DAYS = 30, 3
# What is shorter tells nothing apart: of a reference, and of a word in a description.
_REFERENCE_LEAST, _WORD_LEAST = 3, 5
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")
# A name of more transfers than this tells none of them apart.
_SAME_NAME_MOST = 50
_T = TypeVar("_T")


class RailDifferenceKind(StrEnum):
    """Why the statement of a rail is not what the ledger has."""

    MISSING_TRANSFER = "missing_transfer"
    MISSING_LINE = "missing_line"
    OTHER_AMOUNT = "other_amount"
    DOUBLE = "double"
    FEE = "fee"
    BALANCE = "balance"


_Kind = RailDifferenceKind


class LineSide(NamedTuple):
    """A line of a statement: `names` are its references and the numbers of its description."""

    id: int
    day: date
    amount: Decimal
    kind: str
    references: frozenset[str]
    names: frozenset[str]


class OwnSide(NamedTuple):
    """A transfer of the account; the amount is below zero if money left the account."""

    id: int
    day: date
    amount: Decimal
    journal: str
    names: frozenset[str]


class Match(NamedTuple):
    """A line and a transfer that it is about; a line may have several, which make up its amount."""

    line_id: int
    transfer_id: int
    rule: str


class Unmatched(NamedTuple):
    """What is left: a line, a transfer, or both where they have one reference and two amounts."""

    kind: str
    day: date
    own: Decimal
    theirs: Decimal
    evidence: str
    line_id: int | None = None
    transfer_id: int | None = None


@dataclass
class Outcome:
    """What was matched, and what was not."""

    matches: list[Match] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)


def references_of(*texts: str) -> frozenset[str]:
    """References without regard to case and punctuation; those that are too short say nothing."""
    found = {re.sub(r"[^a-z0-9]", "", each.casefold()) for each in texts}
    return frozenset(name for name in found if len(name) >= _REFERENCE_LEAST)


def names_in(description: str) -> frozenset[str]:
    """The words of a text that can be references: those with a digit."""
    words = (word for word in _WORD.findall(description) if any(map(str.isdigit, word)))
    return frozenset(name for name in references_of(*words) if len(name) >= _WORD_LEAST)


def match(
    lines: Sequence[LineSide],
    transfers: Sequence[OwnSide],
    *,
    until: date,
    earlier: Mapping[str, LineSide] | None = None,
) -> Outcome:
    """Match what is not matched yet. `until`: the last day that statements have.

    `earlier`: lines that are matched already by each of their references: what comes twice.
    Transfers of the last days may still come on the next statement, so they are not reported.
    """
    state = _State(lines, transfers, dict(earlier or {}))
    state.take_by_reference()
    state.take_by_journal()
    named = state.take_by_other_amount()
    state.take_by_amount()
    state.outcome.unmatched += named + state.lines_left() + state.transfers_left(until)
    state.outcome.unmatched.sort(key=lambda each: (each.day, each.line_id or 0))
    return state.outcome


class _State:
    """The two sides while they are matched."""

    def __init__(
        self, lines: Sequence[LineSide], transfers: Sequence[OwnSide], earlier: dict[str, LineSide]
    ) -> None:
        self.lines = {line.id: line for line in sorted(lines, key=_order)}
        self.own = {each.id: each for each in sorted(transfers, key=_order)}
        self.earlier = earlier
        self.outcome = Outcome()

    def take_by_reference(self) -> None:
        """The same reference and amount, the nearest day first."""
        by = _grouped((name, each) for each in self.own.values() for name in each.names)
        for line in list(self.lines.values()):
            self._take(line, by, names=sorted(line.names), days=REFERENCE_DAYS, rule="reference")

    def take_by_journal(self) -> None:
        """The same reference and the sum of a journal, such as a payment and its fee in one."""
        journals: dict[str, list[OwnSide]] = defaultdict(list)
        for each in self.own.values():
            journals[each.journal].append(each)
        by = _listed((name, each.journal) for each in self.own.values() for name in each.names)
        for line in list(self.lines.values()):
            for journal in sorted({one for name in line.names for one in by.get(name, ())}):
                rows = [each for each in journals[journal] if each.id in self.own]
                if sum((each.amount for each in rows), ZERO) == line.amount and all(
                    abs((line.day - each.day).days) <= REFERENCE_DAYS for each in rows
                ):
                    self._match(line, rows, rule="journal")
                    break

    def take_by_other_amount(self) -> list[Unmatched]:
        """The same reference, and another amount: a difference of both."""
        by = _listed((name, each) for each in self.own.values() for name in each.names)
        found = []
        for line in list(self.lines.values()):
            named = {one.id: one for name in line.names for one in by.get(name, ())}
            rows = [
                one
                for one in named.values()
                if one.id in self.own and (one.amount > 0) == (line.amount > 0)
            ]
            if line.kind != MovementKind.FEE and len(rows) == 1:
                found.append(_other_amount(line, rows[0]))
                del self.lines[line.id], self.own[rows[0].id]
        return found

    def take_by_amount(self) -> None:
        """The same amount within a few days."""
        by = _grouped(("", each) for each in self.own.values())
        for line in list(self.lines.values()):
            self._take(line, by, names=[""], days=AMOUNT_DAYS, rule="amount")

    def lines_left(self) -> list[Unmatched]:
        """Lines that the ledger does not have."""
        return [self._line_left(line) for line in self.lines.values()]

    def transfers_left(self, until: date) -> list[Unmatched]:
        """Transfers that the statements should have by now."""
        due = until - timedelta(days=AMOUNT_DAYS)
        return [_transfer_left(each, until) for each in self.own.values() if each.day <= due]

    def _take(
        self, line: LineSide, by: "_Groups", *, names: Iterable[str], days: int, rule: str
    ) -> None:
        """Match the line with the nearest transfer of its amount under one of the names."""
        named = [by[name, line.amount] for name in names if (name, line.amount) in by]
        for apart in range(days + 1 if named else 0):
            for day in {line.day - timedelta(days=apart), line.day + timedelta(days=apart)}:
                for group in (each[day] for each in named if day in each):
                    while group and group[0].id not in self.own:
                        group.popleft()
                    if group:
                        self._match(line, [group[0]], rule=rule)
                        return

    def _match(self, line: LineSide, rows: Iterable[OwnSide], *, rule: str) -> None:
        for each in rows:
            self.outcome.matches.append(Match(line.id, each.id, rule))
            del self.own[each.id]
        del self.lines[line.id]
        self.earlier.update(dict.fromkeys(line.references, line))

    def _line_left(self, line: LineSide) -> Unmatched:
        first = next(
            (
                self.earlier[name]
                for name in sorted(line.references)
                if name in self.earlier and self.earlier[name].amount == line.amount
            ),
            None,
        )
        kind, evidence = _Kind.MISSING_TRANSFER, "The ledger has no transfer of this line."
        if first is not None:
            kind = _Kind.DOUBLE
            evidence = f"The line of {first.day} has the same reference and amount."
        elif line.kind == MovementKind.FEE:
            kind, evidence = _Kind.FEE, "The rail took a fee that the ledger does not have."
        return Unmatched(kind, line.day, ZERO, line.amount, evidence, line_id=line.id)


# By name and amount, then by day.
_Groups = Mapping[tuple[str, Decimal], Mapping[date, deque[OwnSide]]]


def _grouped(rows: Iterable[tuple[str, OwnSide]]) -> _Groups:
    found: dict[tuple[str, Decimal], dict[date, deque[OwnSide]]] = {}
    for name, each in rows:
        days = found.setdefault((name, each.amount), {})
        days.setdefault(each.day, deque()).append(each)
    return found


def _listed(rows: Iterable[tuple[str, _T]]) -> dict[str, list[_T]]:
    """What each name stands for, without names that stand for too much to say anything."""
    found: dict[str, list[_T]] = defaultdict(list)
    for name, each in rows:
        found[name].append(each)
    return {name: each for name, each in found.items() if len(each) <= _SAME_NAME_MOST}


def _order(each: LineSide | OwnSide) -> tuple[date, int]:
    return each.day, each.id


def _other_amount(line: LineSide, own: OwnSide) -> Unmatched:
    return Unmatched(
        _Kind.OTHER_AMOUNT,
        line.day,
        own.amount,
        line.amount,
        f"Transfer {own.id} of {own.day} has the same reference and {own.amount:f}.",
        line_id=line.id,
        transfer_id=own.id,
    )


def _transfer_left(own: OwnSide, until: date) -> Unmatched:
    return Unmatched(
        _Kind.MISSING_LINE,
        own.day,
        own.amount,
        ZERO,
        f"The statements through {until} have no line of transfer {own.id}.",
        transfer_id=own.id,
    )
