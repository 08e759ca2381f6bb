"""Usage and cost: sums of settled charges and their adjustments."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import CharField, DateField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce, NullIf, TruncDay

from keys.models import FIGURES, Charge, SettledUsage

_SUMS = {
    "calls": Sum("calls", default=0),
    **{name: Sum(name, default=0) for name in FIGURES if name != "cost"},
    "cost": Sum("cost", default=Decimal(0)),
    "provider_cost": Sum("provider_cost"),
}
# How charges can be grouped; every group is a string.
GROUPS = {
    "provider": F("api_key__provider_id"),
    "model": Coalesce(NullIf("model", Value("")), F("api_key__model")),
    "key": F("api_key_id"),
    "agent": F("allocation__agent_id"),
    "cost_centre": F("allocation__cost_centre_id"),
    "day": Cast(Cast(TruncDay("settled_at", tzinfo=UTC), DateField()), CharField()),
    "session": F("allocation__session_id"),
}


class UsageFilter(NamedTuple):
    """A filter of settled charges; None does not filter.

    `since`, `until`: settled in `[since, until)`. `cost_centre` includes all cost centres below it.
    """

    since: datetime | None = None
    until: datetime | None = None
    provider: str | None = None
    key_id: str | None = None
    agent: str | None = None
    cost_centre: str | None = None
    session_id: str | None = None


def usage_totals(which: UsageFilter) -> dict[str, Any]:
    """`calls`, tokens by part, `tokens` and `cost` (USD) of the filter's charges; one query.

    `provider_cost` (USD) sums the calls for which the provider reported a cost; None without any.
    """
    return _usage(which).aggregate(**_SUMS)


def usage_groups(
    which: UsageFilter, *, by: str, after: str | None, most: int
) -> list[dict[str, Any]]:
    """The totals of each `group`, by name: the first `most` after the group `after`; one query."""
    usage = _usage(which).annotate(group=GROUPS[by])
    if after is not None:
        usage = usage.filter(group__gt=after)
    return [dict(row) for row in usage.values("group").annotate(**_SUMS).order_by("group")[:most]]


def _usage(which: UsageFilter) -> QuerySet[SettledUsage]:
    wanted = {
        "settled_at__gte": which.since,
        "settled_at__lt": which.until,
        "api_key__provider": which.provider,
        "api_key": which.key_id,
        "allocation__agent": which.agent,
        "allocation__payers__contains": which.cost_centre and [f"centre:{which.cost_centre}"],
        "allocation__session_id": which.session_id,
    }
    conditions = Q(**{name: value for name, value in wanted.items() if value is not None})
    return SettledUsage.objects.filter(conditions, status=Charge.Status.SETTLED)
