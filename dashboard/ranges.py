"""The range of days that a page shows, read from its query parameters.

`range=28d`, `month=2026-11`, or `from=2026-11-01&to=2026-11-26`, both days included. What cannot be
read gives the default, and a message that says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DEFAULT = "month"
PRESETS = {
    "today": "Today",
    "yesterday": "Yesterday",
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "90d": "Last 90 days",
    "month": "This month",
    "last_month": "Last month",
    "quarter": "This fiscal quarter",
    "year": "This fiscal year",
}
# A quarter. Longer ranges are shown by month, which leads to its days.
DAYS_MAX = 92
_MONTHS_MAX = 120
# Before Butler, and before the calendar ends.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(9000, 1, 1)
_DAY = timedelta(days=1)
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class DateRange:
    """Days of the reporting zone, `starts_on` to `ends_on`, both included."""

    starts_on: date
    ends_on: date
    zone: ZoneInfo
    preset: str = ""
    message: str = ""

    @property
    def starts_at(self) -> datetime:
        """The moment at which the first day starts."""
        return _midnight(self.starts_on, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The moment at which the last day is over; the range does not include it."""
        return _midnight(self.ends_on + _DAY, self.zone)

    @property
    def days(self) -> int:
        """How many days the range has."""
        return (self.ends_on - self.starts_on).days + 1

    @property
    def is_by_month(self) -> bool:
        """Whether the range is too long to show each of its days."""
        return self.days > DAYS_MAX

    @property
    def previous(self) -> "DateRange":
        """As many days, right before this range."""
        length = timedelta(days=self.days)
        return replace(
            self,
            starts_on=self.starts_on - length,
            ends_on=self.ends_on - length,
            preset="",
            message="",
        )

    @property
    def label(self) -> str:
        """`1–26 Nov 2026`; months and years are said once."""
        return _label(self.starts_on, self.ends_on)

    @property
    def query(self) -> str:
        """The query parameters that select this range."""
        if self.preset:
            return f"range={self.preset}"
        return f"from={self.starts_on}&to={self.ends_on}"


def date_range(
    query: Mapping[str, str], *, now: datetime, zone: ZoneInfo, fiscal_year_starts: int = 1
) -> DateRange:
    """The range that the parameters of a page select; this month if they select none."""
    today = now.astimezone(zone).date()
    if "from" in query or "to" in query:
        if days := _days(query, today):
            return DateRange(*days, zone)
    elif "month" in query:
        if days := _month(query["month"]):
            return DateRange(*days, zone)
    elif query.get("range", DEFAULT) in PRESETS:
        return _preset(query.get("range", DEFAULT), today, zone, fiscal_year_starts)
    message = "The dates cannot be read, so this month is shown."
    return replace(_preset(DEFAULT, today, zone, fiscal_year_starts), message=message)


def _days(query: Mapping[str, str], today: date) -> tuple[date, date] | None:
    """The first and the last day that were asked for; None if they are no range."""
    try:
        last = date.fromisoformat(query["to"]) if query.get("to") else today
        first = date.fromisoformat(query["from"]) if query.get("from") else last
    except ValueError:
        return None
    is_range = _FIRST_DAY <= first <= last < _LAST_DAY
    return (first, last) if is_range and (last - first).days < _MONTHS_MAX * 31 else None


def _month(text: str) -> tuple[date, date] | None:
    """The first and the last day of `2026-11`; None if the text names no month."""
    if not _MONTH.fullmatch(text):
        return None
    first = date(int(text[:4]) or 1, int(text[5:]), 1)
    if not _FIRST_DAY <= first < _LAST_DAY:
        return None
    return first, (first + 31 * _DAY).replace(day=1) - _DAY


def _preset(preset: str, today: date, zone: ZoneInfo, fiscal_year_starts: int) -> DateRange:
    first, last = today, today
    if preset == "yesterday":
        first = last = today - _DAY
    elif preset.endswith("d"):
        first = today - timedelta(days=int(preset[:-1]) - 1)
    elif preset == "last_month":
        last = today.replace(day=1) - _DAY
        first = last.replace(day=1)
    elif preset != "today":
        months = {"month": 1, "quarter": 3, "year": 12}[preset]
        first = _period_start(today, months, fiscal_year_starts)
    return DateRange(first, last, zone, preset)


def _period_start(today: date, months: int, fiscal_year_starts: int) -> date:
    """The first day of the fiscal period of so many months that `today` is in."""
    month_index = today.year * 12 + today.month - fiscal_year_starts
    year, month = divmod(month_index // months * months + fiscal_year_starts - 1, 12)
    return date(year, month + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _label(first: date, last: date) -> str:
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    if first.year != last.year:
        return f"{first.day} {first:%b %Y} – {end}"
    return f"{first.day}–{end}" if first.month == last.month else f"{first.day} {first:%b} – {end}"
