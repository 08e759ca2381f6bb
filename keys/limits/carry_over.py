"""Carry-over: what a window leaves is added to the next one, up to a cap. No database.

A window's amount is that of its limit and what was carried over into it. At the turn, what is
neither used nor committed of that is left. A period for which no window was opened, because nothing
ran, leaves its own amount and what it got, without what open allocations have committed: those
count in every period. Nothing below zero is carried over, so overspending is no debt.
"""

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from keys.limits import periods
from keys.limits.periods import Calendar

_NOTHING = Decimal(0)


class _Limit(Protocol):
    period: str
    amount: Decimal
    carry_over_max: Decimal | None
    zone: str
    reset_hour: int


class _Window(Protocol):
    ends_at: datetime
    amount: Decimal
    used: Decimal
    committed: Decimal


def carried_over(
    limit: _Limit, window: _Window, *, starts_at: datetime, calendar: Calendar
) -> Decimal:
    """What the limit carries over from `window`, which has ended, into the one from `starts_at`.

    `window.committed` is what open allocations still have. The windows between the two had nothing
    used in them and have no rows; they are counted no further than the amount still changes.
    """
    most = limit.carry_over_max
    if most is None:
        return _NOTHING
    carried = _within(window.amount - window.used - window.committed, most)
    growth = limit.amount - window.committed
    turns = _turns_until_settled(carried, growth, most)
    between = periods.count(
        period=limit.period,
        since=window.ends_at,
        until=starts_at,
        most=turns,
        zone=limit.zone,
        reset_hour=limit.reset_hour,
        calendar=calendar,
    )
    return _within(carried + growth * between, most)


def _within(amount: Decimal, most: Decimal) -> Decimal:
    return max(min(amount, most), _NOTHING)


def _turns_until_settled(carried: Decimal, growth: Decimal, most: Decimal) -> int:
    """After how many turns the amount is at the cap or at zero for sure, where it stays."""
    if not growth:
        return 0
    way = most - carried if growth > 0 else carried
    return int(way // abs(growth)) + 1
