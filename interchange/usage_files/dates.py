"""Dates of rows: days and moments as spreadsheets, programs and people write them."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common.file_text import UnreadableError

_YEAR_FIRST = re.compile(r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})")
_DOTS = re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})")
_SLASHES = re.compile(r"(?P<first>\d{1,2})(?P<s>[/-])(?P<second>\d{1,2})(?P=s)(?P<y>\d{4})")
_COMPACT = re.compile(r"(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)")
_MONTH = re.compile(r"\d{4}-\d{1,2}|\d{1,2}/\d{4}")
_UNIX = re.compile(r"(?P<seconds>\d{10}(?:\.\d{1,6})?)|(?P<milliseconds>\d{13})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = 12
# In the mapping of columns, it says how 03/04/2026 is read.
ORDER = "dates"
_DAY_FIRST = {"day-first": True, "month-first": False}


class When(NamedTuple):
    """When a row is of: a day, which counts at its noon, or a moment. `name` is the same however
    a file writes it. Midnight is a day: so programs write sums of days."""

    name: str
    at: datetime
    is_day: bool


class Dates(NamedTuple):
    """How a file writes its dates: the `zone` of days and times without one, and whether
    03/04/2026 is of April; None if the file does not tell."""

    zone: ZoneInfo
    is_day_first: bool | None

    def when(self, text: str) -> When:
        """The day or moment. Errors: UnreadableError."""
        if unix := _UNIX.fullmatch(text):
            seconds = float(unix["seconds"] or 0) + int(unix["milliseconds"] or 0) / 1000
            return self._moment(_EPOCH + timedelta(seconds=seconds))
        if _MONTH.fullmatch(text):
            raise UnreadableError(f"{text} is a month. Give a day, such as its last one.")
        written, rest = _parts(text)
        if self.is_day_first is None and _SLASHES.fullmatch(written):
            raise UnreadableError(
                f"{written} has two readings. Say {ORDER}=day-first or {ORDER}=month-first."
            )
        try:
            day = date(*self._numbers(written))
            at = datetime.fromisoformat(f"{day.isoformat()}T{rest or '00:00'}")
        except ValueError:
            raise UnreadableError(
                f"{text[:40]!r} is no date that Butler can read. Write it as 2026-07-31, or as "
                "2026-07-31T14:05:00Z."
            ) from None
        return self._moment(at if at.tzinfo else at.replace(tzinfo=self.zone))

    def _moment(self, at: datetime) -> When:
        if at.time() == time():
            noon = datetime.combine(at.date(), time(12), tzinfo=self.zone)
            return When(at.date().isoformat(), noon.astimezone(UTC), is_day=True)
        at = at.astimezone(UTC)
        return When(at.isoformat(), at, is_day=False)

    def _numbers(self, text: str) -> tuple[int, int, int]:
        """The year, month and day that are written."""
        for form in (_YEAR_FIRST, _DOTS, _COMPACT):
            if found := form.fullmatch(text):
                return int(found["y"]), int(found["m"]), int(found["d"])
        if found := _SLASHES.fullmatch(text):
            first, second = int(found["first"]), int(found["second"])
            return (int(found["y"]), *((second, first) if self.is_day_first else (first, second)))
        raise ValueError


def dates_of(cells: Iterable[str], *, zone: ZoneInfo, asked: str = "") -> Dates:
    """How the file with these cells writes dates. Errors: UnreadableError (`asked` is no order)."""
    if asked and asked not in _DAY_FIRST:
        raise UnreadableError(f"{ORDER} is {' or '.join(_DAY_FIRST)}, not {asked[:20]!r}.")
    return Dates(zone, _DAY_FIRST[asked] if asked else _told(cells))


def _told(cells: Iterable[str]) -> bool | None:
    """Whether days are first, which one date with a day after the 12th tells."""
    for cell in cells:
        if found := _SLASHES.fullmatch(_parts(cell)[0]):
            if int(found["first"]) > _MONTHS:
                return True
            if int(found["second"]) > _MONTHS:
                return False
    return None


def _parts(text: str) -> tuple[str, str]:
    """The day, and the time with its zone; blank if there is no time."""
    day, _, rest = re.sub(r"\s*(?:UTC|GMT)$", "Z", text.strip()).replace("T", " ").partition(" ")
    return day.removesuffix("Z"), rest.replace(" ", "")
