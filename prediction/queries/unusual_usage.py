"""Spikes, slow creep and changed prices of now, from slices and days."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from common import formatting
from keys.books.queries.spend import Spend, SpendFilter, spend_by, spend_over_time
from keys.identity.queries.organisation import organisation
from keys.limits import periods
from keys.models import Agent
from prediction.anomalies import series
from prediction.models import AnomalyKind

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Of cents, every call is a spike.
SPIKE_USD_MIN, CREEP_USD_MIN = Decimal(1), Decimal(1)
# With fewer calls a day, prices and tokens per call say nothing.
_CALLS_MIN = 50
_SHIFT_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Unusual:
    """An anomaly that is seen now. `subject`: such as `agent:ada` or `key:nvidia-1`."""

    kind: AnomalyKind
    subject: str
    words: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The agent or the API key."""
        return self.subject.partition(":")[2]


def unusual_usage(*, now: datetime) -> Iterator[Unusual]:
    """What the last full hours and days say, of each agent and API key; five queries."""
    zone = ZoneInfo(organisation().reporting_zone)
    yield from _spikes(now)
    yield from _creeps(now, zone)
    yield from _shifts(now, zone)


def _spikes(now: datetime) -> Iterator[Unusual]:
    until = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    last = spend_by(SpendFilter(until - _HOUR, until), by="agent")
    high = tuple(each.group for each in last if each.spend.cost >= SPIKE_USD_MIN)
    if not high:
        return
    since = until - series.SPIKE_HOURS * _HOUR
    hours: dict[str, Any] = {agent: np.zeros(series.SPIKE_HOURS) for agent in high}
    which = SpendFilter(since, until, agents=high)
    for each in spend_over_time(which, step="hour", zone=ZoneInfo("UTC"), by="agent"):
        if isinstance(each.starts, datetime):
            hours[each.group][(each.starts - since) // _HOUR] = float(each.spend.cost)
    for agent, used in hours.items():
        if found := series.spike(used, least=float(SPIKE_USD_MIN)):
            seen, usual = _dollars(found.seen), _dollars(found.usual)
            begins = until - found.length * _HOUR
            yield Unusual(
                kind=AnomalyKind.SPIKE,
                subject=f"agent:{agent}",
                words=f"{agent} spent {seen} in the hour from {until - _HOUR:%H:%M} UTC; at these "
                f"hours of the week it usually spends {usual}.",
                evidence={"cost": found.seen, "usual": found.usual, "since": f"{begins:%FT%TZ}"},
            )


def _creeps(now: datetime, zone: ZoneInfo) -> Iterator[Unusual]:
    days = _days(now, zone, series.CREEP_DAYS)
    weekend = np.array([day.weekday() >= 5 for day in days])
    spent: dict[str, Any] = defaultdict(lambda: np.zeros(len(days)))
    for agent, day, spend in _by_day(days, zone, by="agent"):
        spent[agent][(day - days[0]).days] = float(spend.cost)
    for agent, costs in spent.items():
        if found := series.creep(costs, weekend, least=float(CREEP_USD_MIN)):
            seen, usual = _dollars(found.seen), _dollars(found.usual)
            yield Unusual(
                kind=AnomalyKind.CREEP,
                subject=f"agent:{agent}",
                words=f"{agent} has spent {seen} a day for {found.length} days; before, such days "
                f"cost {usual}.",
                evidence={"cost": found.seen, "usual": found.usual, "days": found.length},
            )


def _shifts(now: datetime, zone: ZoneInfo) -> Iterator[Unusual]:
    days = _days(now, zone, _SHIFT_DAYS)
    per_token: dict[str, Any] = defaultdict(lambda: np.full(len(days), np.nan))
    per_call: dict[str, Any] = defaultdict(lambda: np.full(len(days), np.nan))
    for key_id, day, spend in _by_day(days, zone, by="key"):
        if spend.calls >= _CALLS_MIN and spend.tokens > 0:
            place = (day - days[0]).days
            per_call[key_id][place] = spend.tokens / spend.calls
            if spend.cost > 0:
                per_token[key_id][place] = float(spend.cost) * 1_000 / spend.tokens
    for key_id, tokens in per_call.items():
        price, needed = series.shift(per_token[key_id]), series.shift(tokens)
        parts = []
        if price:
            parts.append(
                f"1,000 tokens cost {_dollars(price.seen)}, before {_dollars(price.usual)}"
            )
        if needed:
            parts.append(f"a call needs {needed.seen:,.0f} tokens, before {needed.usual:,.0f}")
        if parts:
            yield Unusual(
                kind=AnomalyKind.SHIFT,
                subject=f"key:{key_id}",
                words=f"On {key_id}, for two days: {'; '.join(parts)}.",
                evidence={
                    "price": price and price._asdict(),
                    "tokens_per_call": needed and needed._asdict(),
                },
            )


def _days(now: datetime, zone: ZoneInfo, count: int) -> list[date]:
    """The last complete days of the zone."""
    today = now.astimezone(zone).date()
    return [today - number * _DAY for number in range(count, 0, -1)]


def _by_day(days: list[date], zone: ZoneInfo, *, by: str) -> Iterator[tuple[str, date, Spend]]:
    since, until = (_midnight(day, zone) for day in (days[0], days[-1] + _DAY))
    for each in spend_over_time(SpendFilter(since, until), step="day", zone=zone, by=by):
        yield each.group, each.starts, each.spend


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return periods.bounds(period="day", at=noon, zone=zone.key, reset_hour=0)[0]


def _dollars(amount: float) -> str:
    return formatting.dollars(round(Decimal(amount), 4))


def centres_of(agents: list[str]) -> Mapping[str, str]:
    """The cost centre of each agent; one query."""
    return dict(Agent.objects.filter(pk__in=agents).values_list("pk", "cost_centre_id"))
