"""When imported usage is booked: a moment for what is of today, of this month, and of before.

The files know sums (used today, this month, in total) and no calls. Each window of Butler counts
the charges in its period, so the sums become charges at up to three moments. Where they contradict
each other the higher one counts: nothing is lent twice. Pure functions, no database.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from keys.limits.periods import EPOCH

_INSTANT = timedelta(microseconds=1)


class Period(NamedTuple):
    """What the file says of a day or month: tokens used in it, and the moment that was true."""

    used: int
    at: datetime
    starts_at: datetime
    ends_at: datetime

    def has(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.starts_at <= moment < self.ends_at


class Portion(NamedTuple):
    """Tokens that are booked at one moment, for what happened from `since` on."""

    at: datetime
    tokens: int
    since: datetime


def portions(*, day: Period, month: Period, total: int, today: datetime) -> list[Portion]:
    """What to book, the newest first: of the day, of the rest of the month, of before.

    `today` is when the day began that the files are of; `day` may be an earlier one.
    """
    in_month = day.used if month.has(day.at) else 0
    rest = max(month.used - in_month, 0)
    earlier = max(total - day.used - rest, 0)
    before = min(day.starts_at, month.starts_at) - _INSTANT
    return [
        Portion(day.at, day.used, day.starts_at),
        Portion(_outside(day, month, today), rest, month.starts_at),
        Portion(before, earlier, EPOCH),
    ]


def _outside(day: Period, month: Period, today: datetime) -> datetime:
    """A moment of the month that is neither of the day nor of today; where there is none, in one.

    Then that day's window counts more than the file says.
    """
    for moment in (day.starts_at - _INSTANT, month.starts_at):
        if month.has(moment) and not day.has(moment) and moment < today:
            return moment
    return day.at if month.has(day.at) else month.at


def take(
    booked: list[Portion], tokens: int, *, until: datetime
) -> tuple[list[Portion], list[Portion]]:
    """Take a session's tokens out of what is booked, the newest first, for one that ended `until`.

    Returns its charges and what is left. What the sums do not cover is charged all the same, at
    the newest moment it may have.
    """
    charges, left = [], []
    for portion in booked:
        part = min(tokens, portion.tokens) if portion.since <= until else 0
        tokens -= part
        charges.append(portion._replace(tokens=part))
        left.append(portion._replace(tokens=portion.tokens - part))
    if tokens:
        newest = next((portion for portion in booked if portion.since <= until), booked[-1])
        charges.append(newest._replace(tokens=tokens))
    return [charge for charge in charges if charge.tokens], left
