"""What statements of rails come down to: movements between two balances that agree with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from common.file_text import UnreadableError
from treasury.reconciliation import values

REFERENCE_MAX = 200
TEXT_MAX = 500
_DAY = timedelta(days=1)
# Banks write these where there is no reference.
_NO_REFERENCES = {"notprovided", "nonref", "none", "n/a"}
_FEE_WORDS = {"fee", "fees", "commission"}


class MovementKind(StrEnum):
    """What moved the money, as far as the file tells."""

    MOVEMENT = "movement"
    FEE = "fee"


class Movement(NamedTuple):
    """A line of a statement; the amount is below zero if money left the account.

    `reference`: what whoever paid gave it; `their_reference`: the bank's or rail's own.
    """

    day: date
    amount: Decimal
    kind: str
    reference: str
    their_reference: str
    description: str


class Part(NamedTuple):
    """A statement in a file, which may have several that follow one another.

    Blank names and None where the file does not tell them. `opened_on`: the day of the opening
    balance as the file names it, which is the first day or the one before; `since`: the first day.
    """

    where: str
    account: str
    currency: str
    opened_on: date | None
    closed_on: date | None
    opening: Decimal | None
    closing: Decimal | None
    movements: Sequence[Movement]
    since: date | None = None


@dataclass(frozen=True)
class Asked:
    """What a person says about a file: the heading of each field of a CSV file that has another
    name there, and balances of a file that does not tell its own."""

    columns: Mapping[str, str] = field(default_factory=dict)
    opening: Decimal | None = None
    closing: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class StatementFile:
    """A file as one statement: `opening` before all its movements, `closing` after them."""

    account: str
    currency: str
    since: date
    until: date
    opening: Decimal
    closing: Decimal
    movements: Sequence[Movement]


def assemble(parts: Sequence[Part], asked: Asked) -> StatementFile:
    """One statement of the parts, each of which agrees with its balances and with the one before.

    Errors: UnreadableError.
    """
    if not parts:
        raise UnreadableError("The file has no statement.")
    whole = [_with_balances(part, asked) for part in parts]
    first, last = whole[0], whole[-1]
    for before, part in zip(whole, whole[1:], strict=False):
        _check_follows(before, part)
    movements = [each for part in whole for each in part.movements]
    closed = max(filter(None, (part.closed_on for part in whole)), default=None)
    days = [each.day for each in movements]
    if not days and closed is None:
        raise UnreadableError("The file has no lines and names no days.")
    until = max([*days, *([closed] if closed else [])])
    return StatementFile(
        account=first.account,
        currency=first.currency,
        since=_first_day(first, earliest=min(days, default=until), until=until),
        until=until,
        opening=_told(first.opening),
        closing=_told(last.closing),
        movements=movements,
    )


def _first_day(part: Part, *, earliest: date, until: date) -> date:
    """The first day that the statement has all movements of. An opening balance is that of the
    morning of its day or, where no movement is that early, of the evening."""
    if part.since is not None:
        return min(part.since, earliest)
    if part.opened_on is None or part.opened_on >= earliest:
        return earliest
    return min(part.opened_on + _DAY, until)


def _with_balances(part: Part, asked: Asked) -> Part:
    total = sum((each.amount for each in part.movements), Decimal(0))
    opening = _balance(part.opening, asked.opening, f"{part.where}: the opening balance")
    closing = _balance(part.closing, asked.closing, f"{part.where}: the closing balance")
    if opening is None and closing is not None:
        opening = closing - total
    if opening is None:
        raise UnreadableError(
            "The file does not tell its balances. Give the opening and the closing balance that "
            "the bank or rail shows for these days."
        )
    if closing is None:
        raise UnreadableError(f"{part.where} has no closing balance. Give it as the bank shows it.")
    if opening + total != closing:
        raise UnreadableError(
            f"{part.where}: {opening:f} at its beginning and {total:f} of lines make "
            f"{opening + total:f}, but it ends with {closing:f}. Lines are missing or doubled: "
            "export it again."
        )
    return part._replace(opening=opening, closing=closing)


def _balance(told: Decimal | None, given: Decimal | None, name: str) -> Decimal | None:
    if told is not None and given is not None and told != given:
        raise UnreadableError(f"{name} is {told:f} in the file, and you gave {given:f}.")
    return given if told is None else told


def _check_follows(before: Part, part: Part) -> None:
    if part.account != before.account:
        raise UnreadableError(
            f"The file has statements of {before.account or 'an account without a number'} and of "
            f"{part.account or 'one without a number'}. Export one account at a time."
        )
    if part.currency != before.currency:
        raise UnreadableError(f"The file has {before.currency} and {part.currency}.")
    if part.opening != before.closing:
        raise UnreadableError(
            f"{part.where} begins with {_told(part.opening):f}, but the one before it ends with "
            f"{_told(before.closing):f}. A statement between them is missing."
        )


def _told(balance: Decimal | None) -> Decimal:
    return Decimal(0) if balance is None else balance


def reference(value: Any) -> str:
    """A reference without the words that banks write where there is none."""
    found = text(value, most=REFERENCE_MAX)
    return "" if found.casefold() in _NO_REFERENCES else found


def text(value: Any, *, most: int = TEXT_MAX) -> str:
    """A text of a file in one line that can be shown."""
    words = " ".join(("" if value is None else str(value)).split())
    return "".join(each for each in words if each.isprintable())[:most]


def is_fee(words: str) -> bool:
    """Whether a kind that a file names is a fee."""
    parts = words.casefold().replace("_", " ").replace("-", " ").split()
    return bool(_FEE_WORDS & set(parts))


def amount(value: Any, where: str) -> Decimal:
    """An amount as `values.amount`; nine decimal places, as the ledger has."""
    found = values.amount(value, where)
    if found != round(found, 9):
        raise UnreadableError(f"{where}: {found:f} has more than nine decimal places.")
    return round(found, 9)
