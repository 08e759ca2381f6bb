"""An hour costs far more than the same hour of the same weekday does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from alerts.rules import Finding, RuleKind, Watch, register
from common import formatting
from keys.books.queries.spend import SpendFilter, spend_by
from keys.identity.queries.organisation import organisation
from reports.alert_kinds import SPEND_SPIKE
from reports.alert_rules.scope import centre_of, spend_in

# What an hour costs above the usual before it is a spike: of cents, every call is one.
_USD_MIN = Decimal(1)
_WEEKS = 4
# Of these, with any spend: one week is no habit.
_WEEKS_MIN = 2
_HOUR = timedelta(hours=1)


def _find(watch: Watch) -> Iterator[Finding]:
    zone = ZoneInfo(organisation().reporting_zone)
    since = _full_hour(watch.now, zone)
    cost = spend_in(watch, since, since + _HOUR).cost
    if cost < _USD_MIN:
        return
    usual = _usual(watch, since, zone)
    if usual is None or cost < usual + _USD_MIN or cost * 100 <= usual * watch.figure:
        return
    clock = since.astimezone(zone)
    percent = cost * 100 / usual
    yield Finding(
        # An hour after it that is as dear is the same incident.
        key="spike",
        title=f"{watch.cost_centre or 'The organisation'} spent {formatting.dollars(cost)} in an "
        f"hour, {percent:,.0f} % of the usual",
        detail=f"From {clock:%A %H:%M} on, an hour cost {formatting.dollars(cost)}. In the past "
        f"weeks it cost {formatting.dollars(usual)} on average. {_dearest(watch, since)}",
        facts={"cost_centre": centre_of(watch), "cost": f"{cost:f}", "since": since},
    )


def _full_hour(now: datetime, zone: ZoneInfo) -> datetime:
    """The start of the last full hour, by the clock of the zone."""
    clock = now.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    return clock.astimezone(UTC) - _HOUR


def _usual(watch: Watch, since: datetime, zone: ZoneInfo) -> Decimal | None:
    """What the hour cost on average in the past weeks; None without a habit."""
    clock = since.astimezone(zone)
    # By the clock on the wall: the hour stays what it is when summer time begins.
    before = [(clock - timedelta(weeks=number)).astimezone(UTC) for number in range(1, _WEEKS + 1)]
    costs = [spend_in(watch, each, each + _HOUR).cost for each in before]
    if sum(1 for each in costs if each) < _WEEKS_MIN:
        return None
    return sum(costs, Decimal(0)) / _WEEKS


def _dearest(watch: Watch, since: datetime) -> str:
    centres = (watch.cost_centre,) if watch.cost_centre else ()
    which = SpendFilter(since, since + _HOUR, cost_centres=centres)
    agents = ", ".join(
        f"{each.group} {formatting.dollars(each.spend.cost)}"
        for each in spend_by(which, by="agent")[:3]
    )
    return f"Most of it: {agents}."


register(
    RuleKind(
        slug="spend_spike",
        title="Spend spike",
        about="The last full hour cost more than this percentage of what the same hour of the same "
        "weekday cost on average in the past four weeks, and at least one US dollar more. It needs "
        "two of these weeks with spend.",
        figure="Percent of the usual",
        least=101,
        most=100_000,
        default=300,
        alert_kind=SPEND_SPIKE,
        find=_find,
    )
)
