"""When imported usage is charged: moments for the usage of today, of this month, and of before.

The files have sums (used today, this month, in total, of other periods) and no calls. Each window
of Butler counts the charges in its period, so the sums become charges at a few moments. If they
contradict each other, the higher one counts, so that nothing is lent twice. Pure functions, no
database.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from keys.limits.periods import EPOCH

_INSTANT = timedelta(microseconds=1)


class Period(NamedTuple):
    """A period of the file: the tokens used in it, as of the moment `at`."""

    used: int
    at: datetime
    starts_at: datetime
    ends_at: datetime

    def has(self, moment: datetime) -> bool:
        """Whether `moment` is in the period."""
        return self.starts_at <= moment < self.ends_at


class Portion(NamedTuple):
    """Tokens that are charged at one moment, for usage since `since`."""

    at: datetime
    tokens: int
    since: datetime


def portions(*, day: Period, month: Period, total: int, today: datetime) -> list[Portion]:
    """The portions to charge, newest first: of the day, of the rest of the month, of before.

    `today`: the start of the day on which the files were written; `day` may be an earlier one.
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
    """A moment of the month outside `day` and today; without one, a moment in them.

    In the latter case the window of that day counts more than the file says.
    """
    for moment in (day.starts_at - _INSTANT, month.starts_at):
        if month.has(moment) and not day.has(moment) and moment < today:
            return moment
    return day.at if month.has(day.at) else month.at


def fit(booked: list[Portion], *, to: Sequence[Period], within: Sequence[Period]) -> list[Portion]:
    """The portions, moved and split so that each period of `to` has what it used, newest first.

    `within`: the periods that have their usage already; no portion leaves or enters one. What a
    period still lacks is charged in addition; what it has too much stays.
    """
    settled = list(within)
    for period in sorted(to, key=lambda each: each.ends_at - each.starts_at):
        booked = _fit_one(booked, period, settled)
        settled.append(period)
    return sorted(booked, key=lambda portion: portion.at, reverse=True)


def _fit_one(booked: list[Portion], period: Period, settled: list[Period]) -> list[Portion]:
    lacks = period.used - sum(each.tokens for each in booked if period.has(each.at))
    borders = [moment for each in (period, *settled) for moment in (each.starts_at, each.ends_at)]
    moments = sorted({*borders, *(moment - _INSTANT for moment in borders), period.at})
    inward, fitted = lacks > 0, []
    for portion in booked:
        target = None
        if period.has(portion.at) != inward:
            target = _same_elsewhere(portion, period, settled, moments, inward=inward)
        part = min(portion.tokens, abs(lacks)) if target else 0
        lacks += -part if inward else part
        fitted.append(portion._replace(tokens=portion.tokens - part))
        if target and part:
            since = max(portion.since, period.starts_at) if inward else portion.since
            fitted.append(Portion(target, part, min(since, target)))
    if lacks > 0:
        fitted.append(Portion(period.at, lacks, period.starts_at))
    return fitted


def _same_elsewhere(
    portion: Portion,
    period: Period,
    settled: list[Period],
    moments: list[datetime],
    *,
    inward: bool,
) -> datetime | None:
    """The newest moment in `period` (or outside it) that is in the same settled periods as the
    portion, and not in the future."""
    where = [each.has(portion.at) for each in settled]
    same = (
        moment
        for moment in reversed(moments)
        if moment <= period.at
        and period.has(moment) == inward
        and [each.has(moment) for each in settled] == where
    )
    return next(same, None)


def take(
    booked: list[Portion], tokens: int, *, until: datetime
) -> tuple[list[Portion], list[Portion]]:
    """Take the tokens of a session that ended at `until` out of the portions, newest first.

    Returns the charges of the session and the remaining portions. Tokens that the portions do not
    cover are charged all the same, at the newest possible moment.
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
