"""Numbers as files of people have them: 1.234,56 and 1,234.56, (12.00), 12.00-.

Which mark separates the decimals is told by the file itself, never by a guess: 1.234 alone may be
either.
"""

import re
from collections.abc import Iterable
from typing import Literal

from common.file_text import UnreadableError

DecimalMark = Literal[".", ","]
MARKS: dict[str, DecimalMark] = {"point": ".", "comma": ","}
_OTHER: dict[DecimalMark, DecimalMark] = {".": ",", ",": "."}
# Spaces that do not break lines, and apostrophes, separate thousands in some countries.
_SPACES = " '’\u00a0\u2009\u202f"
_MINUS = "-−"
_EXPONENT = re.compile(r"[+-]?\d*\.?\d+[eE][+-]?\d+")


def decimal_mark(cells: Iterable[str]) -> DecimalMark | None:
    """The mark that separates the decimals, by the first cell that has only one reading.

    None if no cell has a mark. Errors: UnreadableError if each cell with a mark has two readings.
    """
    ambiguous = ""
    for cell in cells:
        if found := _told_by(cell):
            return found
        ambiguous = ambiguous or (cell if "." in cell or "," in cell else "")
    if ambiguous:
        raise UnreadableError(
            f"{ambiguous!r} may have thousands or decimals, and no other number of the file tells. "
            "Say which with decimal=point or decimal=comma."
        )
    return None


def plain(cell: str, mark: DecimalMark | None) -> str | None:
    """The number with a point and a minus in front; None if it has no form of a number."""
    body, is_negative = _unsigned(cell.strip())
    if _EXPONENT.fullmatch(body):
        return cell.strip()
    mark = mark or "."
    group = re.escape(_OTHER[mark] + _SPACES)
    whole = rf"\d+|\d{{1,3}}(?:([{group}])\d{{3}})(?:\1\d{{3}})*"
    if not re.fullmatch(rf"(?:{whole})(?:{re.escape(mark)}\d+)?|{re.escape(mark)}\d+", body):
        return None
    digits = re.sub(rf"[{group}]", "", body).replace(mark, ".")
    return f"-{digits}" if is_negative else digits


def _unsigned(text: str) -> tuple[str, bool]:
    """The number without its sign, and whether it is negative: in front, behind, or in brackets."""
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if text[:1] in {*_MINUS, "+"}:
        return text[1:].strip(), text[0] != "+"
    if text[-1:] in {*_MINUS}:
        return text[:-1].strip(), True
    return text, False


def _told_by(cell: str) -> DecimalMark | None:
    """The decimal mark, if the cell has only one reading."""
    body, _ = _unsigned(cell.strip())
    marks = [each for each in body if each in _OTHER]
    if not marks:
        return None
    last: DecimalMark = "." if marks[-1] == "." else ","
    if len(set(marks)) > 1:
        return last
    if len(marks) > 1:
        return _OTHER[last]
    before, after = body.split(last)
    could_be_thousands = len(after) == 3 and before.isdigit() and 0 < len(before) <= 3
    return None if could_be_thousands and not before.startswith("0") else last
