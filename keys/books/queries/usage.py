"""Usage and cost: sums of settled charges and their adjustments, from slices where possible."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import CharField, DateField, F, Q, QuerySet, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, NullIf, TruncDay

from keys.books.queries.spend import is_on_border
from keys.models import FIGURES, Charge, SettledUsage, UsageSlice

_SUMS = {
    "calls": Sum("calls", default=0),
    **{name: Sum(name, default=0) for name in FIGURES if name != "cost"},
    "cost": Sum("cost", default=Decimal(0)),
}


def _groups(*, moment: str, allocation: str) -> dict[str, Combinable]:
    """How usage can be grouped; every group is a string. `allocation`: the path to what it says."""
    return {
        "provider": F("api_key__provider_id"),
        "model": Coalesce(NullIf("model", Value("")), F("api_key__model")),
        "key": F("api_key_id"),
        "agent": F(f"{allocation}agent_id"),
        "cost_centre": F(f"{allocation}cost_centre_id"),
        "label": F(f"{allocation}label"),
        "day": Cast(Cast(TruncDay(moment, tzinfo=UTC), DateField()), CharField()),
    }


_OF_SLICES = _groups(moment="starts_at", allocation="")
_OF_CHARGES = {
    **_groups(moment="settled_at", allocation="allocation__"),
    "session": F("allocation__session_id"),
}
GROUPS = tuple(_OF_CHARGES)


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


class _Source(NamedTuple):
    """Rows to add up, and what differs between slices and charges."""

    rows: QuerySet[Any]
    groups: Mapping[str, Combinable]
    provider_cost: Sum


def usage_totals(which: UsageFilter) -> dict[str, Any]:
    """`calls`, tokens by part, `tokens` and `cost` (USD) of the filter's charges; one query.

    `provider_cost` (USD) sums the calls for which the provider reported a cost; None without any.
    """
    source = _source(which)
    return source.rows.aggregate(**_SUMS, provider_cost=source.provider_cost)


def usage_groups(
    which: UsageFilter, *, by: str, after: str | None, most: int
) -> list[dict[str, Any]]:
    """The totals of each `group`, by name: the first `most` after the group `after`; one query."""
    source = _source(which, by=by)
    usage = source.rows.annotate(group=source.groups[by])
    if after is not None:
        usage = usage.filter(group__gt=after)
    # A slice may have no settled call.
    sums = usage.values("group").annotate(**_SUMS, provider_cost=source.provider_cost)
    return [dict(row) for row in sums.filter(calls__gt=0).order_by("group")[:most]]


def _source(which: UsageFilter, *, by: str = "") -> _Source:
    borders = [moment for moment in (which.since, which.until) if moment]
    if which.session_id is None and by != "session" and all(map(is_on_border, borders)):
        return _slices(which)
    return _charges(which)


def _slices(which: UsageFilter) -> _Source:
    rows = UsageSlice.objects.filter(
        _conditions(
            starts_at__gte=which.since,
            starts_at__lt=which.until,
            api_key__provider=which.provider,
            api_key=which.key_id,
            agent=which.agent,
            placement__path__contains=which.cost_centre and [which.cost_centre],
        )
    )
    return _Source(rows, _OF_SLICES, Sum("provider_cost", filter=Q(provider_calls__gt=0)))


def _charges(which: UsageFilter) -> _Source:
    rows = SettledUsage.objects.filter(
        _conditions(
            status=Charge.Status.SETTLED,
            settled_at__gte=which.since,
            settled_at__lt=which.until,
            api_key__provider=which.provider,
            api_key=which.key_id,
            allocation__agent=which.agent,
            allocation__payers__contains=which.cost_centre and [f"centre:{which.cost_centre}"],
            allocation__session_id=which.session_id,
        )
    )
    return _Source(rows, _OF_CHARGES, Sum("provider_cost"))


def _conditions(**wanted: Any) -> Q:
    return Q(**{name: value for name, value in wanted.items() if value is not None})
