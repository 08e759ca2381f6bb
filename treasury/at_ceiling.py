"""Whether purchases have been at a bound of their policy for long: pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from treasury.models import PurchasePolicy
from treasury.models.purchase_triggers import COUNTED

# Bought as fast as the cool-off allows, so many times in a row; or as much as a day allows, on so
# many days in a row. One such day is a busy one.
_TIMES = 6
_DAYS = 3
_SHARE = Decimal("0.95")
_SLACK = 1.25


class Bought(NamedTuple):
    """A purchase for which money was set aside: also one that was declined later."""

    at: datetime
    amount: Decimal
    status: str


def ceiling_reached(policy: PurchasePolicy, bought: Sequence[Bought], *, now: datetime) -> str:
    """Which bound is reached, in a sentence; empty if none is. `bought`: the oldest first."""
    if pace := _by_pace(policy, bought, now=now):
        return pace
    zone = ZoneInfo(policy.zone)
    today = now.astimezone(zone).date()
    of_days: dict[date, Decimal] = defaultdict(Decimal)
    for each in bought:
        if each.status in COUNTED:
            of_days[each.at.astimezone(zone).date()] += each.amount
    days = [today - timedelta(days=number) for number in range(_DAYS)]
    yesterday = [day - timedelta(days=1) for day in days]
    # Today is not over: the three days before it count as well.
    if any(
        all(of_days[day] >= policy.daily_max * _SHARE for day in each) for each in (days, yesterday)
    ):
        return f"On each of {_DAYS} days, as much was bought as the policy allows in a day."
    return ""


def _by_pace(policy: PurchasePolicy, bought: Sequence[Bought], *, now: datetime) -> str:
    moments = [each.at for each in bought][-_TIMES:]
    most = timedelta(seconds=policy.cool_off_seconds * _SLACK)
    # The job that buys runs every five minutes.
    most += timedelta(minutes=5)
    follows = [after - before for before, after in zip(moments, moments[1:], strict=False)]
    if len(moments) < _TIMES or max(follows) > most or now - moments[-1] > most:
        return ""
    return (
        f"The last {_TIMES} purchases followed one another as fast as the cool-off of "
        f"{policy.cool_off_seconds // 60} minutes allows."
    )
