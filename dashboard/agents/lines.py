"""Agents as people look at them: whether they may spend, what they spent, and what is left."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery

from common.admin.visible_rows import visible_to
from dashboard.ranges import date_range
from gate.rows import bindings
from keys.books.queries.freezes import frozen_payers
from keys.books.queries.pages import Meter, budget_meters, live_allocations
from keys.books.queries.spend import Spend, SpendFilter, slice_start, spend_by
from keys.models import EVERYTHING, Agent, AgentToken, UsageDay, UsageSlice, Window

ACTIVE, FROZEN, OFF = "active", "frozen", "off"
STATUSES = (ACTIVE, FROZEN, OFF)
# A token that expires within this time is named.
SOON = timedelta(days=14)
_SLICE, _DAY = timedelta(minutes=15), timedelta(days=1)
# Slices of today and yesterday say when an agent was last at work; before, its days do.
_SLICES_FOR, _DAYS_FOR = timedelta(days=2), timedelta(days=90)


@dataclass(frozen=True)
class AgentLine:
    """An agent now. `last_call`: to the quarter of an hour, before yesterday to the day.

    `expires_at`: when the first of its live tokens expires.
    """

    agent: Agent
    status: str
    meters: Sequence[Meter]
    month: Spend
    live: int
    last_call: datetime | None
    expires_at: datetime | None

    @property
    def used_percent(self) -> Decimal | None:
        """Used and committed of the fullest of its limits; None without a limit."""
        shares = [_share(meter) for meter in self.meters]
        return round(max(shares), 6) if shares else None

    def expires_soon(self, now: datetime) -> bool:
        """Whether one of its tokens expires soon."""
        return self.expires_at is not None and self.expires_at <= now + SOON


def agent_lines(
    user: Any, agents: QuerySet[Agent], *, zone: ZoneInfo, now: datetime
) -> list[AgentLine]:
    """Those of `agents` that the person may see, by name; six queries."""
    rows: QuerySet[Any] = visible_to(user, agents).annotate(
        live=_live_count(now), expires_at=_first_expiry(now)
    )
    month = date_range({"range": "month"}, now=now, zone=zone)
    spent = dict(spend_by(_until_now(user, month.starts_at, now), by="agent"))
    meters = _meters(user, now)
    frozen = frozen_payers()
    last = _last_calls(zone, now)
    return [
        AgentLine(
            agent=agent,
            status=status_of(agent, frozen),
            meters=meters.get(f"agent:{agent.pk}", ()),
            month=spent.get(agent.pk, Spend()),
            live=agent.live or 0,
            last_call=last.get(agent.pk),
            expires_at=agent.expires_at,
        )
        for agent in rows.order_by("slug")
    ]


def status_of(agent: Agent, frozen: set[str]) -> str:
    """Whether the agent may spend; `frozen`: the scopes for which nothing can start."""
    if agent.disabled_at:
        return OFF
    return ACTIVE if frozen.isdisjoint((EVERYTHING, f"agent:{agent.pk}")) else FROZEN


def _share(meter: Meter) -> Decimal:
    amount = meter.amount + meter.granted
    return 100 * (meter.used + meter.committed) / amount if amount else Decimal(100)


def _live_count(now: datetime) -> Subquery:
    """How many of its allocations can still spend."""
    live = live_allocations(now=now).filter(agent=OuterRef("pk")).order_by()
    return Subquery(live.values("agent").annotate(number=Count("pk")).values("number"))


def _first_expiry(now: datetime) -> Subquery:
    live = AgentToken.objects.filter(agent=OuterRef("pk"), revoked_at=None, expires_at__gt=now)
    return Subquery(live.order_by().values("agent").annotate(at=Min("expires_at")).values("at"))


def _until_now(user: Any, since: datetime, now: datetime) -> SpendFilter:
    return SpendFilter(since, slice_start(now) + _SLICE, within=tuple(bindings(user)) or None)


def _meters(user: Any, now: datetime) -> Mapping[str, list[Meter]]:
    """The limits of agents, by scope."""
    windows = visible_to(user, Window.objects.filter(limit__agent__isnull=False))
    found: dict[str, list[Meter]] = defaultdict(list)
    for meter in budget_meters(windows, now=now):
        found[meter.scope].append(meter)
    return found


def _last_calls(zone: ZoneInfo, now: datetime) -> dict[str, datetime]:
    """When each agent was last at work."""
    since = slice_start(now) - _SLICES_FOR
    days = UsageDay.objects.filter(day__gte=(now - _DAYS_FOR).astimezone(zone).date())
    slices = UsageSlice.objects.filter(starts_at__gte=since)
    by_day: dict[str, date] = dict(days.values_list("agent").annotate(Max("day")).order_by())
    found = {slug: datetime.combine(day, time(), zone) for slug, day in by_day.items()}
    return found | dict(slices.values_list("agent").annotate(Max("starts_at")).order_by())
