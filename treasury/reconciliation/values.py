"""Read values of reports, and say what is wrong with them."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from common.file_text import UnreadableError
from treasury.reconciliation.lines import AMOUNT_MAX, QUANTITY_MAX

_NAME_MAX = 200
_PLACES = 12
# With these a spreadsheet begins to calculate.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def number(value: Any, where: str) -> Decimal:
    """A finite number; whether it fits is for who uses it."""
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise UnreadableError(f"{where}: {_short(value)} is not a number.") from None
    if not found.is_finite():
        raise UnreadableError(f"{where}: {_short(value)} is not a number.")
    return found


def amount(value: Any, where: str, *, per_unit: int = 1) -> Decimal:
    """An amount of money, `per_unit` of them to a unit of the currency; 12 decimal places."""
    found = number(value, where)
    if found.copy_abs() > AMOUNT_MAX * per_unit:
        raise UnreadableError(f"{where}: an amount of {_short(value)} is too large.")
    return round(found / per_unit, _PLACES)


def quantity(value: Any, where: str) -> Decimal:
    """A count of tokens or calls."""
    found = number(value, where)
    if found < 0:
        raise UnreadableError(f"{where}: a quantity of {_short(value)} is below zero.")
    if found > QUANTITY_MAX:
        raise UnreadableError(f"{where}: a quantity of {_short(value)} is too large.")
    return round(found, 6)


def name(value: Any, where: str) -> str:
    """A name of a key, model or request; blank if there is none."""
    text = "" if value is None else str(value).strip()
    if text.startswith(_FORMULA):
        raise UnreadableError(f"{where}: {_short(value)} looks like a formula of a spreadsheet.")
    if len(text) > _NAME_MAX or not text.isprintable():
        raise UnreadableError(f"{where}: {_short(value)} is no name of at most 200 characters.")
    return text


def day(value: Any, where: str) -> date:
    """The UTC day of a date, a moment with a zone, or Unix seconds."""
    try:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return datetime.fromtimestamp(int(value), tz=UTC).date()
        text = str(value).strip()
        if len(text) == len("2026-03-10"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise UnreadableError(f"{where}: {_short(value)} is not a day.") from None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def currency(value: Any, where: str) -> str:
    """The code of a currency in capitals."""
    text = str(value).strip().upper()
    if not (text.isascii() and text.isalpha() and 3 <= len(text) <= 5):  # noqa: PLR2004 - USD, USDC
        raise UnreadableError(f"{where}: {_short(value)} is no currency.")
    return text


def _short(value: Any) -> str:
    text = repr(str(value))
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - of a sentence
