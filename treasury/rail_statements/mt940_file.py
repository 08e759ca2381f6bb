"""MT940: a bank's statement as SWIFT writes it, read by the library mt-940."""

import io
import logging
import re
from datetime import date
from decimal import Decimal
from typing import Any

import mt940
from mt940.models import Transactions

from common.file_text import UnreadableError
from treasury.rail_statements.movements import (
    Asked,
    Movement,
    MovementKind,
    Part,
    amount,
    reference,
    text,
)
from treasury.reconciliation import values

_STATEMENTS_MAX = 1_000
# It logs what it cannot read, which only the organisation and its bank know.
logging.getLogger("mt940").addHandler(logging.NullHandler())
logging.getLogger("mt940").propagate = False
# How the library says that it cannot read a file.
_ERRORS = (RuntimeError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
_FEES = {"NCHG", "NCOM", "FCHG", "FCOM"}
_OPENING = ("final_opening_balance", "opening_balance", "intermediate_opening_balance")
_CLOSING = ("final_closing_balance", "closing_balance", "intermediate_closing_balance")
_TEXTS = ("purpose", "additional_purpose", "transaction_details", "extra_details", "applicant_name")


def read(content: bytes, asked: Asked) -> list[Part]:
    """A part for each statement, or page of one."""
    content_text = _decoded(content)
    if content_text.count("\n:20:") > _STATEMENTS_MAX:
        raise UnreadableError(f"The file has more than {_STATEMENTS_MAX:,} statements.")
    try:
        # A stream, since a text could also be the name of a file.
        found = mt940.parse_statements(io.StringIO(content_text), options=mt940.Options.all())
    except _ERRORS as error:
        raise UnreadableError(f"The file is no MT940: {_reason(error)}.") from None
    lines = len(re.findall(r"(?m)^:61:", content_text))
    if not found or lines != sum(len(each) for each in found):
        raise UnreadableError(
            "The file is no MT940: it has no statement that begins with :20:, or a line that is "
            "not read."
        )
    return [_part(each, f"Statement {number}") for number, each in enumerate(found, 1)]


def _reason(error: Exception) -> str:
    if len(error.args) == len(("message", "tag", "value")):
        return f"{str(error.args[2])[:60]!r} cannot be read"
    return "a day or an amount in it is wrong"


def _decoded(content: bytes) -> str:
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        found = content.decode("latin-1")
    if "\0" in found:
        raise UnreadableError("The file has NUL characters, so it is no text.")
    return found.replace("\r\n", "\n").replace("\r", "\n")


def _part(statement: Transactions, where: str) -> Part:
    opening, closing = _balance(statement, _OPENING, where), _balance(statement, _CLOSING, where)
    if opening is None or closing is None:
        raise UnreadableError(f"{where} has no opening or closing balance (:60F:, :62F:).")
    if opening[0] != closing[0]:
        raise UnreadableError(f"{where} opens in {opening[0]} and closes in {closing[0]}.")
    return Part(
        where=where,
        account=text(statement.data.get("account_identification"), most=100),
        currency=values.currency(opening[0], where),
        opened_on=opening[1],
        closed_on=closing[1],
        opening=opening[2],
        closing=closing[2],
        movements=[
            _movement(each.data, f"{where}, line {number}")
            for number, each in enumerate(statement, 1)
        ],
    )


def _balance(
    statement: Transactions, names: tuple[str, ...], where: str
) -> tuple[str, date, Decimal] | None:
    for name in names:
        if (found := statement.data.get(name)) is not None:
            money = getattr(found.amount, "amount", None)
            if money is None or found.date is None:
                raise UnreadableError(f"{where} has a balance without an amount or a day.")
            return str(found.amount.currency), _day(found.date), amount(money, where)
    return None


def _movement(data: dict[str, Any], where: str) -> Movement:
    moved = data.get("entry_date") or data.get("date")
    if moved is None or data.get("amount") is None:
        raise UnreadableError(f"{where} has no day or no amount.")
    told = [str(data[name]) for name in _TEXTS if data.get(name)]
    is_fee = str(data.get("id", "")).strip().upper() in _FEES
    own = data.get("end_to_end_reference") or data.get("customer_reference")
    return Movement(
        day=_day(moved),
        amount=amount(data["amount"].amount, where),
        kind=MovementKind.FEE if is_fee else MovementKind.MOVEMENT,
        reference=reference(own),
        their_reference=reference(data.get("bank_reference")),
        description=text(" ".join(dict.fromkeys(told))),
    )


def _day(value: date) -> date:
    return date(value.year, value.month, value.day)
