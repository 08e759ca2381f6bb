"""The FOCUS file of a month, as a person may see it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from common.admin.visible_rows import visible_to
from dashboard.exports import csv_files
from gate.queries import bindings
from keys.identity.queries.organisation import organisation
from keys.models import Organisation
from reports.focus import VERSIONS, ClosedFocusMonth, FocusMonth
from reports.month_periods import previous_month
from reports.queries.month_closes import standing_close

_UTC = ZoneInfo("UTC")


def month_for(user: Any, found: Organisation, first: date, version: str) -> FocusMonth:
    """The frozen lines of a closed month; what the books have now of an open one."""
    if close := standing_close(first):
        lines = visible_to(user, close.lines.all())
        return ClosedFocusMonth(found, first, version, close=close, lines=lines)
    return FocusMonth(found, first, version, tuple(bindings(user)) or None)


def focus_month(user: Any, now: datetime) -> FocusMonth:
    """The last whole month before `now`."""
    found = organisation()
    this = now.astimezone(ZoneInfo(found.reporting_zone)).date().replace(day=1)
    return month_for(user, found, previous_month(this), VERSIONS[0])


@dataclass
class Counted:
    """A month on its way into a file; once its lines are read, it knows their number and sum."""

    month: FocusMonth
    rows: int = 0
    billed: Decimal = Decimal(0)

    def lines(self) -> Iterator[Iterable[str]]:
        """The lines of the file, cell by cell."""
        yield self.month.columns
        for row in self.month.rows():
            self.rows += 1
            self.billed += row[0]
            yield [csv_files.cell(value, _UTC) for value in row]
