"""camt.053: a bank's statement in XML, ISO 20022, in each of its versions.

Names of elements are those of the standard. Document types and entities are refused before they are
read, so a file can neither grow nor reach others.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

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

Element = Any
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_FEES = {"CHRG", "COMM", "FEES"}


def read(content: bytes, asked: Asked) -> list[Part]:
    """A part for each `Stmt`. Only booked entries count."""
    found = list(_below(_document(content), "BkToCstmrStmt", "Stmt"))
    return [_part(each, f"Statement {number}") for number, each in enumerate(found, 1)]


def _document(content: bytes) -> Element:
    try:
        root = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise UnreadableError(
            "The file has a document type or entities, which no statement needs. Export it again."
        ) from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise UnreadableError(f"The file is no XML: {error}.") from None
    message = next((_name(each) for each in root), "")
    if message != "BkToCstmrStmt":
        raise UnreadableError(
            f"The file is no camt.053: it has {message[:40] or 'nothing'} in place of "
            "BkToCstmrStmt. Export the statement of whole days."
        )
    return root


def _part(statement: Element, where: str) -> Part:
    opening, closing = _balance(statement, _OPENING, where), _balance(statement, _CLOSING, where)
    currency = _text(statement, "Acct", "Ccy") or (closing or opening or ("", None, None))[0]
    for told, *_ in filter(None, (opening, closing)):
        if told != currency:
            raise UnreadableError(f"{where} is in {currency}, and a balance in {told}.")
    movements = [
        each
        for number, entry in enumerate(_below(statement, "Ntry"), 1)
        for each in _movements(entry, currency, f"{where}, entry {number}")
    ]
    since = _text(statement, "FrToDt", "FrDtTm") or _text(statement, "FrToDt", "FrDt")
    return Part(
        where=where,
        account=_account(statement),
        currency=values.currency(currency, where),
        opened_on=opening and opening[1],
        closed_on=closing and closing[1],
        opening=opening and opening[2],
        closing=closing and closing[2],
        movements=movements,
        since=_day(since, where) if since else None,
    )


def _account(statement: Element) -> str:
    return text(
        _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id"),
        most=100,
    )


def _balance(
    statement: Element, kinds: Iterable[str], where: str
) -> tuple[str, date, Decimal] | None:
    """The first balance of one of these kinds: currency, day and amount."""
    by_kind = {_text(each, "Tp", "CdOrPrtry", "Cd"): each for each in _below(statement, "Bal")}
    for kind in kinds:
        if (found := by_kind.get(kind)) is not None:
            currency, money = _money(found, f"{where}, balance {kind}")
            return currency, _day_of(_first(found, "Dt"), where), money
    return None


def _movements(entry: Element, currency: str, where: str) -> Iterator[Movement]:
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    if status not in ("BOOK", ""):
        return
    told, money = _money(entry, where)
    if told != currency:
        raise UnreadableError(f"{where} is in {told}, and the account in {currency}.")
    day = _day_of(_first(entry, "BookgDt") or _first(entry, "ValDt"), where)
    family = _text(entry, "BkTxCd", "Domn", "Fmly", "SubFmlyCd")
    kind = MovementKind.FEE if family in _FEES else MovementKind.MOVEMENT
    for detail, part in _details(entry, currency, money):
        yield Movement(day, part, kind, *_names(entry, detail))


def _details(entry: Element, currency: str, money: Decimal) -> list[tuple[Element, Decimal]]:
    """The payments of an entry that has several, if their amounts are told and make up its own."""
    found = list(_below(entry, "NtryDtls", "TxDtls"))
    parts = [_detail_amount(each, currency, money) for each in found]
    known = [part for part in parts if part is not None]
    if len(found) > 1 and len(known) == len(found) and sum(known, Decimal(0)) == money:
        return list(zip(found, known, strict=True))
    return [(found[0] if len(found) == 1 else None, money)]


def _detail_amount(detail: Element, currency: str, money: Decimal) -> Decimal | None:
    found = _first(detail, "Amt")
    if found is None:
        found = _first(detail, "AmtDtls", "TxAmt", "Amt")
    if found is None or found.get("Ccy") != currency:
        return None
    size = amount(found.text, "A payment of an entry")
    direction = _text(detail, "CdtDbtInd")
    is_out = direction == "DBIT" if direction else money < 0
    return -size if is_out else size


def _names(entry: Element, detail: Element | None) -> tuple[str, str, str]:
    """The payer's reference, the bank's and the description."""
    own = [_text(detail, "Refs", name) for name in ("EndToEndId", "InstrId", "TxId")]
    theirs = _text(detail, "Refs", "AcctSvcrRef") or _text(entry, "AcctSvcrRef")
    told = [each.text or "" for each in _below(detail, "RmtInf", "Ustrd")]
    told += [_text(detail, "AddtlTxInf"), _text(entry, "AddtlNtryInf")]
    given = next(filter(None, map(reference, own)), "") or reference(_text(entry, "NtryRef"))
    return given, reference(theirs), text(" ".join(filter(None, told)))


def _money(element: Element, where: str) -> tuple[str, Decimal]:
    """Currency and amount of an entry or a balance; below zero if it is a debit."""
    found = _first(element, "Amt")
    if found is None:
        raise UnreadableError(f"{where} has no amount.")
    size = amount(found.text, where)
    direction = _text(element, "CdtDbtInd")
    if direction not in ("CRDT", "DBIT") or size < 0:
        raise UnreadableError(f"{where} is neither a credit nor a debit.")
    return found.get("Ccy", ""), -size if direction == "DBIT" else size


def _day_of(element: Element | None, where: str) -> date:
    return _day(_text(element, "Dt") or _text(element, "DtTm"), where)


def _day(value: str, where: str) -> date:
    """The day as the bank writes it, in its own zone."""
    return values.day(value[: len("2026-03-10")], where)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _below(element: Element | None, *path: str) -> Iterator[Element]:
    """The elements at the end of the path, in any namespace."""
    if element is None:
        return
    if not path:
        yield element
        return
    for child in element:
        if _name(child) == path[0]:
            yield from _below(child, *path[1:])


def _first(element: Element | None, *path: str) -> Element | None:
    return next(_below(element, *path), None)


def _text(element: Element | None, *path: str) -> str:
    found = _first(element, *path)
    return (found.text or "").strip() if found is not None else ""
