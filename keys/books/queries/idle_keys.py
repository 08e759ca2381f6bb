"""API keys that are on and were not used, and budgets of which little was used."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import (
    Avg,
    Count,
    DecimalField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Sum,
)
from django.db.models.functions import Extract

from keys.models import Allocation, ApiKey, UsageSlice

_LENT = Allocation.Status


def idle_keys(*, since: datetime) -> list[ApiKey]:
    """The active keys that exist since then, and were neither lent nor used; one query."""
    live = Q(status=_LENT.ACTIVE) | Q(created_at__gte=since)
    lent = Allocation.objects.filter(live, api_key=OuterRef("pk"))
    used = UsageSlice.objects.filter(api_key=OuterRef("pk"), starts_at__gte=since)
    rows = ApiKey.objects.filter(
        ~Exists(lent), ~Exists(used), status=ApiKey.Status.ACTIVE, created_at__lt=since
    )
    return list(rows.order_by("pk"))


class UnusedBudgets(NamedTuple):
    """Budgets of an agent that ended: their number, mean tokens lent and used, and how many USD
    were set aside at an average moment and not used."""

    agent: str
    cost_centre: str
    budgets: int
    allocated: int
    used: int
    locked: Decimal


def unused_budgets(*, since: datetime, until: datetime) -> list[UnusedBudgets]:
    """By agent, of allocations that were lent after `since` and ended before `until`; one query."""
    seconds = Decimal((until - since) / timedelta(seconds=1))
    open_for = ExpressionWrapper(F("closed_at") - F("created_at"), output_field=DurationField())
    number = DecimalField(max_digits=30, decimal_places=9)
    rest = ExpressionWrapper(
        (F("allocated_cost") - F("used_cost")) * Extract(open_for, "epoch", output_field=number),
        output_field=number,
    )
    rows = Allocation.objects.filter(created_at__gte=since, closed_at__lt=until).order_by()
    summed = rows.values_list("agent_id", "agent__cost_centre_id").annotate(
        Count("pk"), Avg("allocated"), Avg("used"), locked=Sum(rest)
    )
    return [
        UnusedBudgets(agent, centre, count, int(allocated), int(used), max(locked, 0) / seconds)
        for agent, centre, count, allocated, used, locked in summed
    ]
